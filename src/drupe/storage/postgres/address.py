"""The address of a database: what it may be, what is asked of a way to another machine, and how it may be shown."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from drupe.errors import SettingsError

SCHEMES: Final = ("postgresql://", "postgres://")
SCHEMA: Final = "drupe"
"""The schema that the tables are in, unless the address says another."""

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_EXPECTED: Final = "expected postgresql://USER:PASSWORD@HOST/DATABASE"
_OLD: Final = ("tlsv1", "tlsv1.1")
# So that a server which is gone without a word is noticed within a lease.
_CUSTOM: Final = MappingProxyType(
    {
        "application_name": "drupe",
        "connect_timeout": "10",
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "3",
        "tcp_user_timeout": "10000",
        "ssl_min_protocol_version": "TLSv1.2",
    }
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is.

    Attributes:
        shown: the address without a password.
        schema: which schema has its tables.
        parameters: what a connection is made with; there may be a password among them.
    """

    shown: str
    schema: str
    parameters: Mapping[str, str] = field(repr=False)


def is_address(text: str) -> bool:
    """Tell whether a text is meant as the address of a database."""
    return text.startswith(SCHEMES)


def parse(url: str) -> Address:
    """Get the address that a URL says: as libpq reads it, and ``schema=NAME`` among what follows the ``?``.

    Raises:
        SettingsError: it is none, or leads to another machine without verified TLS. No text of the URL is in it that
            could be of a password.
    """
    plain, schema = _without_schema(url)
    try:
        found = {name: str(value) for name, value in conninfo_to_dict(plain).items() if value is not None}
    except (psycopg.Error, ValueError):  # what it says quotes the URL
        found = {"port": "?"}
    if not all(port.isdigit() for port in found.get("port", "0").split(",") if port):  # it may be of a password
        raise SettingsError(f"store: {_EXPECTED}; a character in it may have to be percent-encoded")
    _check_tls(found)
    return Address(_shown(found, schema), schema, MappingProxyType({**_CUSTOM, **found}))


def _without_schema(url: str) -> tuple[str, str]:
    if not is_address(url):
        raise SettingsError(f"store: {_EXPECTED}")
    base, _, query = url.partition("?")
    given = parse_qsl(query, keep_blank_values=True)
    schemas = [value for name, value in given if name == "schema"]
    schema = schemas[-1] if schemas else SCHEMA
    if not _NAME.fullmatch(schema):
        raise SettingsError("store: the name of a schema has lower-case letters, digits and '_', 63 at most")
    rest = urlencode([pair for pair in given if pair[0] != "schema"], quote_via=quote)
    return f"{base}?{rest}" if rest else base, schema


def _check_tls(found: Mapping[str, str]) -> None:
    """Refuse to send anything to another machine that others could read, or that could be another one.

    Raises:
        SettingsError: it would be.
    """
    mode = found.get("sslmode") or os.environ.get("PGSSLMODE", "")
    hosts = found.get("hostaddr") or found.get("host") or os.environ.get("PGHOSTADDR") or os.environ.get("PGHOST") or ""
    if found.get("service") or os.environ.get("PGSERVICE"):
        raise SettingsError("store: say the host in the address; what a service file says is not looked at")
    for host in hosts.split(","):
        if mode != "verify-full" and not is_near(host):
            raise SettingsError(
                f"store: {host} is another machine, so it must be asked who it is: add ?sslmode=verify-full"
                " (and sslrootcert=FILE, if its certificate is of an authority of your own)"
            )
    if found.get("ssl_min_protocol_version", "").lower() in _OLD:
        raise SettingsError("store: TLS has to be 1.2 or newer; leave ssl_min_protocol_version out")


def is_near(host: str) -> bool:
    """Tell whether a host is this machine, without asking anybody for its address."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(found: Mapping[str, str], schema: str) -> str:
    host, user = found.get("host") or found.get("hostaddr", ""), found.get("user", "")
    place = f"{host}:{found['port']}" if "port" in found else host
    name = found.get("dbname") or user
    return f"postgresql://{place if host[:1] not in ('/', '@') else ''}/{name}" + (
        f"?schema={schema}" if schema != SCHEMA else ""
    )
