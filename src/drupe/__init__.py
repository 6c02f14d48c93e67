"""Processes that outlive the interpreter they started in.

What is here is what most programs need. Errors are in `drupe.errors`, tools for tests in `drupe.testing`.
"""

from typing import TYPE_CHECKING, Any

from drupe.core.codec import CODEC as CODEC
from drupe.core.codec import saveable as saveable
from drupe.core.command import Continue as Continue
from drupe.core.command import Kill as Kill
from drupe.core.command import Stop as Stop
from drupe.core.command import Wait as Wait
from drupe.core.lifecycle import State as State
from drupe.core.outline import if_ as if_
from drupe.core.outline import return_ as return_
from drupe.core.outline import while_ as while_
from drupe.core.upcast import upcast as upcast
from drupe.engine.field import field as field
from drupe.engine.listener import ProcessListener as ProcessListener
from drupe.engine.loading import load as load
from drupe.engine.process import Process as Process
from drupe.engine.saving import save as save
from drupe.engine.step import step as step
from drupe.engine.workchain import ToContext as ToContext
from drupe.engine.workchain import WorkChain as WorkChain
from drupe.version import __version__ as __version__

if TYPE_CHECKING:
    from drupe.core.broadcast_filter import BroadcastFilter as BroadcastFilter
    from drupe.service.blocking import BlockingController as BlockingController
    from drupe.service.controller import Controller as Controller
    from drupe.service.runner import Runner as Runner
    from drupe.service.wiring import open_blocking_communicator as open_blocking_communicator
    from drupe.service.wiring import open_communicator as open_communicator
    from drupe.service.wiring import open_controller as open_controller
    from drupe.service.wiring import open_runner as open_runner


def __getattr__(name: str) -> Any:
    """Get what only programs with a store need, when it is first asked for: `import drupe` stays cheap."""
    if name == "Runner":
        from drupe.service.runner import Runner

        return Runner
    if name == "BlockingController":
        from drupe.service.blocking import BlockingController

        return BlockingController
    if name == "Controller":
        from drupe.service.controller import Controller

        return Controller
    if name == "BroadcastFilter":
        from drupe.core.broadcast_filter import BroadcastFilter

        return BroadcastFilter
    if name in ("open_blocking_communicator", "open_communicator", "open_controller", "open_runner"):
        from drupe.service import wiring

        return getattr(wiring, name)
    raise AttributeError(f"module 'drupe' has no attribute {name!r}")
