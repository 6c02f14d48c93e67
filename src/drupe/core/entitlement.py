"""What a key lets its holder do: one table by message form and request verb, and nothing else that decides.

A role includes those before it. An answer is in no table: whoever may ask for something may be told the outcome, and
only somebody who may do the thing may tell it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drupe.core.announcement import SUBJECT, WORK
from drupe.core.message import Broadcast, Message, Rpc
from drupe.core.role import Role
from drupe.errors import NotEntitledError

BY_VERB: Final[Mapping[str, Role]] = MappingProxyType(
    {
        "status": Role.READ,
        "attendance": Role.READ,
        "repertoire": Role.READ,
        "look": Role.READ,  # what there is to see lies in the store
        "pause": Role.CONTROL,
        "play": Role.CONTROL,
        "kill": Role.CONTROL,
        "signal": Role.CONTROL,
        "launch": Role.LAUNCH,
        "execute": Role.LAUNCH,
        "continue": Role.LAUNCH,
    }
)
"""What a request takes, by its verb (`core.message`)."""
BY_FORM: Final[Mapping[str, Role]] = MappingProxyType(
    {"reply": Role.READ, "rpc": Role.CONTROL, "broadcast": Role.CONTROL, "task": Role.LAUNCH}
)
"""What everything else takes, by the form of the message; a task takes it whatever it says."""
NEWS: Final = f"{SUBJECT}."
"""What the subjects of broadcasts begin with that say where a process is: hints, which the store confirms or not."""


def needed(message: Message) -> Role:
    """Get the role that it takes to send a message, its body unpacked. An answer takes that of what it answers, too."""
    match message:
        case Rpc(body={"verb": str(verb)}) if verb in BY_VERB:
            return BY_VERB[verb]
        case Broadcast(subject=str(subject)) if subject == WORK or subject.startswith(NEWS):
            return Role.READ
        case _:
            return BY_FORM[str(message.__struct_config__.tag)]


def check(message: Message, role: Role) -> None:
    """Refuse a message that its sender may not send.

    Raises:
        NotEntitledError: says what it takes.
    """
    takes = needed(message)
    if role < takes:
        raise NotEntitledError(f"this takes a key with the role {takes.word!r}, and it came with {role.word!r}")
