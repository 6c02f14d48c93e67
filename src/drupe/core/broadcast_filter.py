"""Which broadcasts a subscriber wants, by sender and subject. Pure: a filter is asked on the communicator's thread."""

import re
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

Wanted: TypeAlias = str | re.Pattern[str]
"""Text in which ``*`` stands for anything, or a pattern that has to match the whole."""

_ANYTHING: Final = "*"


class BroadcastFilter:
    """Lets a broadcast pass that has one of the senders and one of the subjects.

    No senders, or no subjects, stand for all of them. A broadcast that has no subject passes only where none is asked for;
    so it is with the sender.

    Args:
        subject: one subject, or several.
        sender: one sender, or several.
    """

    __slots__ = ("_senders", "_subjects")

    def __init__(self, subject: Wanted | Iterable[Wanted] = (), *, sender: Wanted | Iterable[Wanted] = ()) -> None:
        self._subjects = _matchers(subject)
        self._senders = _matchers(sender)

    def __call__(self, sender: str | None, subject: str | None) -> bool:
        return _admitted(sender, self._senders) and _admitted(subject, self._subjects)


def _matchers(wanted: Wanted | Iterable[Wanted]) -> "tuple[re.Pattern[str], ...]":
    several = (wanted,) if isinstance(wanted, str | re.Pattern) else wanted
    return tuple(one if isinstance(one, re.Pattern) else _from_wildcards(one) for one in several)


def _from_wildcards(text: str) -> "re.Pattern[str]":
    first, *others = (re.escape(part) for part in text.split(_ANYTHING))
    if not others:
        return re.compile(first)
    *middle, last = others
    # Each part is taken where it first fits, for good (an atomic group): no text makes such a pattern slow.
    found = "".join(f"(?>.*?{part})" for part in middle)
    return re.compile(f"{first}{found}.*{last}", re.DOTALL)


def _admitted(value: str | None, matchers: "tuple[re.Pattern[Any], ...]") -> bool:
    return not matchers or (value is not None and any(matcher.fullmatch(value) for matcher in matchers))
