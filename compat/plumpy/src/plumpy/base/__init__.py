"""A state machine, and calls that check that a method reached its base class."""

from plumpy.base.state_machine import StateMachine, StateMachineMeta, TransitionFailed, event
from plumpy.base.utils import call_with_super_check, super_check

__all__ = ["StateMachine", "StateMachineMeta", "TransitionFailed", "call_with_super_check", "event", "super_check"]
