"""An exception as data: what of it survives saving and loading.

Whatever an exception says, its form can be written: a failure that could not be saved would be repeated for ever.
"""

import traceback
from typing import Any, Final

import msgspec

from drupe.errors import ExceptedError

_MESSAGE: Final = 10_000
_TRACEBACK: Final = 50_000


def legible(text: str, limit: int = _MESSAGE) -> str:
    """Get text that can be written anywhere: lone surrogates escaped, and the middle left out of more than ``limit`` characters."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}\n[{len(text) - limit} characters left out]\n{text[-(limit // 2) :]}"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Type, text and traceback text of an exception. Exceptions are never made again from foreign type names."""

    kind: str
    message: str
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Get the form of ``error``; one that was loaded from such a form gives that form back."""
        if isinstance(error, ExceptedError):
            return cls(error.kind, error.message, error.traceback_text)
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        lines = "".join(traceback.format_exception(error))
        return cls(name, legible(_text_of(error)), legible(lines, _TRACEBACK))

    def error(self, pid: str | None = None) -> ExceptedError:
        """Get an exception that says the same."""
        return ExceptedError(self.kind, self.message, self.traceback, pid)

    def as_dict(self) -> dict[str, Any]:
        """Get the form as plain data."""
        return msgspec.structs.asdict(self)

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 (a broken __str__ must not hide that there was an error)
        return f"<no text: its __str__ raised {type(broken).__name__}>"
