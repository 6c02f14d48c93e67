"""Processes that run in steps, can be saved, and are steered by messages: the names of plumpy 0.26, on top of drupe."""

import logging

from plumpy.communications import (
    Communicator,
    DeliveryFailed,
    RemoteException,
    TaskRejected,
    plum_to_kiwi_future,
    wrap_communicator,
)
from plumpy.events import get_or_create_event_loop
from plumpy.exceptions import ClosedError, InvalidStateError, KilledError, PersistenceError, UnsuccessfulResult
from plumpy.futures import CancelledError, Future, chain, copy_future, create_task, gather
from plumpy.greenback_bridge import ensure_portal, has_portal, run_until_complete, run_with_portal, sync_await
from plumpy.loaders import DefaultObjectLoader, ObjectLoader, get_object_loader, set_object_loader
from plumpy.mixins import ContextMixin
from plumpy.persistence import (
    Bundle,
    InMemoryPersister,
    LoadSaveContext,
    PersistedCheckpoint,
    Persister,
    PicklePersister,
    Savable,
    SavableFuture,
    auto_persist,
)
from plumpy.ports import UNSPECIFIED, InputPort, OutputPort, Port, PortNamespace, PortValidationError
from plumpy.process_comms import (
    MessageBuilder,
    ProcessLauncher,
    RemoteProcessController,
    RemoteProcessThreadController,
    create_continue_body,
    create_launch_body,
)
from plumpy.process_listener import ProcessListener
from plumpy.process_states import (
    Continue,
    Created,
    Excepted,
    Finished,
    Interruption,
    Kill,
    Killed,
    KillInterruption,
    PauseInterruption,
    ProcessState,
    Running,
    Stop,
    Wait,
    Waiting,
)
from plumpy.processes import BundleKeys, Process, ProcessSpec, TransitionFailed
from plumpy.utils import AttributesDict
from plumpy.workchains import ToContext, WorkChain, WorkChainSpec, if_, return_, while_

__version__ = "0.26.2"

__all__ = [
    "UNSPECIFIED",
    "AttributesDict",
    "Bundle",
    "BundleKeys",
    "CancelledError",
    "ClosedError",
    "Communicator",
    "ContextMixin",
    "Continue",
    "Created",
    "DefaultObjectLoader",
    "DeliveryFailed",
    "Excepted",
    "Finished",
    "Future",
    "InMemoryPersister",
    "InputPort",
    "Interruption",
    "InvalidStateError",
    "Kill",
    "KillInterruption",
    "Killed",
    "KilledError",
    "LoadSaveContext",
    "MessageBuilder",
    "ObjectLoader",
    "OutputPort",
    "PauseInterruption",
    "PersistedCheckpoint",
    "PersistenceError",
    "Persister",
    "PicklePersister",
    "Port",
    "PortNamespace",
    "PortValidationError",
    "Process",
    "ProcessLauncher",
    "ProcessListener",
    "ProcessSpec",
    "ProcessState",
    "RemoteException",
    "RemoteProcessController",
    "RemoteProcessThreadController",
    "Running",
    "Savable",
    "SavableFuture",
    "Stop",
    "TaskRejected",
    "ToContext",
    "TransitionFailed",
    "UnsuccessfulResult",
    "Wait",
    "Waiting",
    "WorkChain",
    "WorkChainSpec",
    "auto_persist",
    "chain",
    "copy_future",
    "create_continue_body",
    "create_launch_body",
    "create_task",
    "ensure_portal",
    "gather",
    "get_object_loader",
    "get_or_create_event_loop",
    "has_portal",
    "if_",
    "plum_to_kiwi_future",
    "return_",
    "run_until_complete",
    "run_with_portal",
    "set_object_loader",
    "sync_await",
    "while_",
    "wrap_communicator",
]


class NullHandler(logging.Handler):
    """Drops what is logged where nobody listens."""

    def emit(self, record: logging.LogRecord) -> None:
        """Drop it."""


logging.getLogger("plumpy").addHandler(NullHandler())
