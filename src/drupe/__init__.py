"""Processes that outlive the interpreter they started in."""

from drupe.core.command import Continue as Continue
from drupe.core.command import Kill as Kill
from drupe.core.command import Stop as Stop
from drupe.core.command import Wait as Wait
from drupe.core.lifecycle import State as State
from drupe.core.outline import if_ as if_
from drupe.core.outline import return_ as return_
from drupe.core.outline import while_ as while_
from drupe.engine.field import field as field
from drupe.engine.listener import ProcessListener as ProcessListener
from drupe.engine.process import Process as Process
from drupe.engine.workchain import ToContext as ToContext
from drupe.engine.workchain import WorkChain as WorkChain
from drupe.version import __version__ as __version__
