"""The address of a broker: what it may be, and what is asked of a connection to another machine."""

import ipaddress
import ssl
from typing import Final
from urllib.parse import unquote, urlsplit

from drupe.errors import SettingsError

_SCHEMES: Final = ("amqp", "amqps")


def without_password(url: str) -> str:
    """Get a URL as it may be shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_host(url)}" + (f":{parts.port}" if parts.port else "") + parts.path


def check(url: str) -> str:
    """Get the URL of a broker back if it may be connected to.

    Raises:
        SettingsError: it is none, or leads to another machine without TLS.
    """
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"broker: expected amqp://USER:PASSWORD@HOST/, got something else: {error}") from error
    if scheme not in _SCHEMES or not host:
        raise SettingsError(f"broker: expected amqp://USER:PASSWORD@HOST/ or amqps://…, got {scheme or 'no scheme'!r}")
    if scheme == "amqp" and not is_loopback(host):
        raise SettingsError(
            f"broker: {host} is another machine, and amqp:// sends everything in the clear; use amqps:// (TLS)"
        )
    return url


def refuse_unsealed(url: str) -> None:
    """Pass if messages to this broker need no seal, because it is on this machine.

    Raises:
        SettingsError: it is on another one.
    """
    host = urlsplit(check(url)).hostname or ""
    if not is_loopback(host):
        raise SettingsError(
            f"broker: {host} is another machine, so messages must be sealed, and there are no keys; "
            "`drupe keys new` makes one, for all machines alike"
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, without asking anybody for its address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tls(url: str, *, authority: str | None = None) -> ssl.SSLContext | None:
    """Get what verifies the broker behind ``amqps://``, by the system's authorities or by those of a file; else None.

    Raises:
        SettingsError: the file cannot be read.
    """
    if urlsplit(url).scheme != "amqps":
        return None
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise SettingsError(f"broker: the certificates in {authority} cannot be read: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _host(url: str) -> str:
    return unquote(urlsplit(url).hostname or "")
