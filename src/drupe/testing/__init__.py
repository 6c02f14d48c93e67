"""What tests of drupe, of its backends and of processes are made of.

Here is what needs nothing but drupe; the contract suites, which need pytest and hypothesis, are
imported from modules of their own (`drupe.testing.store_contract`).
"""

from drupe.testing.clock import ManualClock as ManualClock
from drupe.testing.clock import SequentialIds as SequentialIds
from drupe.testing.probe import CrashAt as CrashAt
from drupe.testing.probe import CrashError as CrashError
from drupe.testing.probe import DelayAt as DelayAt
from drupe.testing.probe import FailAt as FailAt
from drupe.testing.probe import HangAt as HangAt
from drupe.testing.probe import Recorder as Recorder
