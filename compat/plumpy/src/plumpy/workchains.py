"""Work chains: processes whose body is an outline of steps, with a context, and awaitables to wait for between steps.

An outline is a tree of instructions, which is the same for all work chains of a class, and is run as a program of
drupe's (`plumpy.programs`). Where a work chain stands is shown, and saved with it, as a tree of steppers that mirrors it.
"""

import abc
import asyncio
import collections.abc
import functools
import inspect
import logging
import operator
import re
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar

import kiwipy

from drupe.core.outline import If, Node, While
from plumpy import lang, mixins, persistence, process_states, processes, programs
from plumpy.utils import PID_TYPE, SAVED_STATE_TYPE

__all__ = ["ToContext", "WorkChain", "WorkChainSpec", "if_", "return_", "while_"]

ToContext = dict

PREDICATE_TYPE = Callable[["WorkChain"], bool]
WC_COMMAND_TYPE = Callable[["WorkChain"], Any]
EXIT_CODE_TYPE = int

STEPPER_STATE = "stepper_state"


class WorkChainSpec(processes.ProcessSpec):
    """Ports, and an outline."""

    def __init__(self) -> None:
        super().__init__()
        self._outline: _Instruction | None = None

    def get_description(self) -> dict[str, Any]:
        """Get what is declared."""
        description = super().get_description()
        if self._outline:
            description["outline"] = self._outline.get_description()
        return description

    def outline(self, *commands: Any) -> None:
        """Declare the outline: methods of the class, `if_`, `while_` and `return_`."""
        self._outline = _ensure_instruction(commands[0]) if len(commands) == 1 else _Block(commands)

    def get_outline(self) -> Any:
        """Get the outline; raises `AssertionError` when there is none."""
        assert self._outline is not None, "outline not yet loaded"
        return self._outline


@persistence.auto_persist("_awaiting")
class Waiting(process_states.Waiting):
    """Waits for awaitables, whose results go into the context.

    Args:
        process: the work chain.
        done_callback: the step that follows.
        msg: what is waited for, to people.
        awaiting: the keys in the context by awaitable.
    """

    def __init__(
        self,
        process: "WorkChain",
        done_callback: Callable[..., Any] | None,
        msg: str | None = None,
        awaiting: dict[Any, str] | None = None,
    ) -> None:
        super().__init__(process, done_callback, msg, awaiting)
        self._awaiting: dict[asyncio.Future[Any], str] = {
            _future_of(awaitable): key for awaitable, key in (awaiting or {}).items()
        }

    def enter(self) -> None:
        """Begin to wait."""
        super().enter()
        for awaitable in self._awaiting:
            awaitable.add_done_callback(self._awaitable_done)

    def exit(self) -> None:
        """Wait no more."""
        super().exit()
        for awaitable in self._awaiting:
            awaitable.remove_done_callback(self._awaitable_done)

    def _awaitable_done(self, awaitable: "asyncio.Future[Any]") -> None:
        key = self._awaiting.pop(awaitable)
        waiting = self._waiting_future
        try:
            self.process.ctx[key] = awaitable.result()
        except Exception as error:
            if not waiting.done():  # of several that fail, the first one is told
                waiting.set_exception(error)
        else:
            if not self._awaiting and not waiting.done():
                waiting.set_result(lang.NULL)


class WorkChain(mixins.ContextMixin, processes.Process):
    """A process that follows an outline, and can be saved between any two steps of it.

    A step may return nothing, to go on; awaitables by key, to wait for them; a command; or anything else, which ends the
    work chain with it as the result. The arguments are those of `Process`.
    """

    _spec_class: type[Any] = WorkChainSpec
    _STEPPER_STATE = "stepper_state"
    _CONTEXT = "CONTEXT"

    @classmethod
    def get_state_classes(cls) -> dict[Hashable, type[Any]]:
        """Get the state classes by label."""
        return super().get_state_classes() | {process_states.ProcessState.WAITING: Waiting}

    def __init__(
        self,
        inputs: dict[str, Any] | None = None,
        pid: PID_TYPE | None = None,
        logger: logging.Logger | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        communicator: kiwipy.Communicator | None = None,
    ) -> None:
        super().__init__(inputs=inputs, pid=pid, logger=logger, loop=loop, communicator=communicator)
        self._stepper: Stepper | None = None
        self._awaitables: dict[Any, str] = {}

    @classmethod
    def spec(cls) -> Any:
        """Get what the class declares."""
        return super().spec()

    def on_create(self) -> None:
        """CREATED is about to be entered: the work chain stands before the first step."""
        super().on_create()
        self._stepper = self.spec().get_outline().create_stepper(self)

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        """Save where the work chain stands besides."""
        super().save_instance_state(out_state, save_context)
        if self._stepper is not None:
            out_state[self._STEPPER_STATE] = self._stepper.save()

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Become the work chain that was saved."""
        super().load_instance_state(saved_state, load_context)
        self._stepper = None
        stepper_state = saved_state.get(self._STEPPER_STATE, None)
        if stepper_state is not None:
            self._stepper = self.spec().get_outline().recreate_stepper(stepper_state, self)

    def to_context(self, **kwargs: Any) -> None:
        """Wait after this step for processes or futures, and put their results into the context under these keys."""
        for key, awaitable in kwargs.items():
            self._awaitables[_future_of(awaitable)] = key

    async def run(self) -> Any:
        """Begin with the outline."""
        return self._do_step()

    def _do_step(self) -> Any:
        assert self._stepper is not None
        self._awaitables = {}
        try:
            finished, answer = self._stepper.step()
        except _PropagateReturn as end:
            return end.exit_code
        if finished or not (answer is None or isinstance(answer, ToContext)):
            return answer
        if answer is not None:
            self.to_context(**answer)
        if self._awaitables:
            return process_states.Wait(self._do_step, "Waiting before next step", self._awaitables)
        return process_states.Continue(self._do_step)


def _future_of(awaitable: Any) -> Any:
    return awaitable.future() if isinstance(awaitable, processes.Process) else awaitable


# --- where a work chain stands ------------------------------------------------------------------------------------


class Stepper(persistence.Savable, metaclass=abc.ABCMeta):
    """Where a work chain stands in an instruction.

    Args:
        workchain: the work chain.
    """

    def __init__(self, workchain: "WorkChain") -> None:
        self._workchain: Any = workchain

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Become a stepper of the work chain that the context names."""
        super().load_instance_state(saved_state, load_context)
        self._workchain = load_context.workchain

    @abc.abstractmethod
    def step(self) -> tuple[bool, Any]:
        """Take one step; gets whether the instruction is done, and what the step returned."""


class _FunctionStepper(Stepper):
    """Before a step of the outline."""

    def __init__(self, workchain: "WorkChain", fn: WC_COMMAND_TYPE) -> None:
        super().__init__(workchain)
        self._fn = fn

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        super().save_instance_state(out_state, save_context)
        out_state["_fn"] = self._fn.__name__

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        super().load_instance_state(saved_state, load_context)
        self._fn = getattr(self._workchain.__class__, saved_state["_fn"])

    def step(self) -> tuple[bool, Any]:
        return True, self._fn(self._workchain)

    def __str__(self) -> str:
        return self._fn.__name__


class _NestingStepper(Stepper):
    """In an instruction that has parts: shows where in it the place of the work chain is.

    Args:
        instruction: the instruction.
        workchain: the work chain, which begins with it.
    """

    _INSTRUCTION: str
    """The name of the instruction in a load context."""

    def __init__(self, instruction: Any, workchain: "WorkChain") -> None:
        super().__init__(workchain)
        self._look(instruction, programs.Place(instruction._compiled, workchain), 0)

    def _look(self, instruction: Any, place: programs.Place, depth: int) -> None:
        """Show of a place what is in this instruction, which is so deep in the outline."""
        self._instruction, self._place, self._depth = instruction, place, depth

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        super().save_instance_state(out_state, save_context)
        child = self._child_stepper
        if child is not None:
            out_state[STEPPER_STATE] = child.save()

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        instruction = getattr(load_context, self._INSTRUCTION)
        place = programs.Place(instruction._compiled, load_context.workchain)
        self._look(instruction, place, 0)
        super().load_instance_state(saved_state, load_context)
        if saved_state.get(STEPPER_STATE, None) is None:
            return
        pos = self._pos
        child = instruction._part(pos).recreate_stepper(saved_state[STEPPER_STATE], self._workchain)
        if (pos, None) in place.compiled.cursors:
            place.held = child
        else:
            place.move((pos, *child._place.address), child._place.held)

    @property
    def _pos(self) -> int:
        pos: int = self._place.address[self._depth]
        return pos

    @_pos.setter
    def _pos(self, pos: int) -> None:
        self._place.move((*self._place.address[: self._depth], pos))

    @property
    def _child_stepper(self) -> Any:
        place, depth = self._place, self._depth + 1
        address = place.address
        if len(address) == depth:
            return None
        part = self._instruction._part(address[depth - 1])
        if address[depth] is None:
            return place.held or part.create_stepper(self._workchain)
        child = part._STEPPER.__new__(part._STEPPER)
        child._workchain = self._workchain
        child._look(part, place, depth)
        return child

    def step(self) -> tuple[bool, Any]:
        place, depth = self._place, self._depth
        if not depth:
            return place.step()
        above = place.address[:depth]
        finished, result = place.step()
        address = place.address
        return finished or len(address) <= depth or address[:depth] != above, result

    def __str__(self) -> str:
        compiled, cursor = self._place.compiled, self._place.cursor
        if self._depth or self._place.held is not None or cursor in compiled.foreign:
            return self._text()
        text = compiled.texts.get(cursor)
        if text is None:
            text = compiled.texts[cursor] = self._text()
        return text

    @abc.abstractmethod
    def _text(self) -> str:
        """Get where this stands, to people."""

    def finished(self) -> bool:
        """Whether nothing of the instruction is left to do."""
        return self._pos == len(self._instruction)


@persistence.auto_persist("_pos")
class _BlockStepper(_NestingStepper):
    """Within a sequence of instructions."""

    _INSTRUCTION = "block_instruction"
    _block = property(operator.attrgetter("_instruction"))

    def __init__(self, block: "_Block", workchain: "WorkChain") -> None:
        block[0]  # an error when there is none
        super().__init__(block, workchain)

    def next_instruction(self) -> None:
        """Stand before the next instruction of the block, or behind the last."""
        assert not self.finished()
        self._pos += 1

    def _text(self) -> str:
        return f"{self._pos}:{self._child_stepper}"


@persistence.auto_persist("_pos")
class _IfStepper(_NestingStepper):
    """Before a condition, or within one of its blocks."""

    _INSTRUCTION = "if_instruction"
    _if_instruction = property(operator.attrgetter("_instruction"))

    def _text(self) -> str:
        return _within(self._if_instruction[self._pos], self._child_stepper)


class _WhileStepper(_NestingStepper):
    """Before the condition of a loop, or within its block."""

    _INSTRUCTION = "while_instruction"
    _while_instruction = property(operator.attrgetter("_instruction"))

    def step(self) -> tuple[bool, Any]:
        if self._place.over:
            self._pos = 0
        return super().step()

    def _text(self) -> str:
        return _within(self._while_instruction, self._child_stepper)


def _within(place: Any, child: Any) -> str:
    return str(place) if child is None else f"{place}({child})"


class _PropagateReturn(BaseException):
    """Raised by `return_`, to leave the whole outline."""

    def __init__(self, exit_code: EXIT_CODE_TYPE | None) -> None:
        super().__init__()
        self.exit_code = exit_code


class _ReturnStepper(Stepper):
    """Before the end."""

    def __init__(self, return_instruction: "_Return", workchain: "WorkChain") -> None:
        super().__init__(workchain)
        self._return_instruction = return_instruction

    def step(self) -> tuple[bool, Any]:
        raise _PropagateReturn(self._return_instruction._exit_code)


# --- instructions -------------------------------------------------------------------------------------------------


class _Instruction(metaclass=abc.ABCMeta):
    """A part of an outline."""

    @abc.abstractmethod
    def create_stepper(self, workchain: "WorkChain") -> Any:
        """Get a stepper for a work chain that begins with this."""

    @abc.abstractmethod
    def recreate_stepper(self, saved_state: SAVED_STATE_TYPE, workchain: "WorkChain") -> Any:
        """Get a stepper for a work chain that stands where it was saved."""

    @abc.abstractmethod
    def get_description(self) -> Any:
        """Get what this is, to people."""

    def __str__(self) -> str:
        return str(self.get_description())


class _FunctionCall(_Instruction):
    """A step."""

    def __init__(self, func: WC_COMMAND_TYPE) -> None:
        try:
            names = inspect.getfullargspec(func).args
        except TypeError:
            raise TypeError(f"func is not a function, got {type(func)}") from None
        if len(names) != 1:
            raise TypeError("Step must take one argument only: self")
        self._fn = func

    def create_stepper(self, workchain: "WorkChain") -> _FunctionStepper:
        return _FunctionStepper(workchain, self._fn)

    def recreate_stepper(self, saved_state: SAVED_STATE_TYPE, workchain: "WorkChain") -> Any:
        context = persistence.LoadSaveContext(workchain=workchain, func_spec=self)
        return _FunctionStepper.recreate_from(saved_state, context)

    def get_description(self) -> str:
        if not self._fn.__doc__:
            return self._fn.__name__
        text = re.sub(r"\n\s*", " ", self._fn.__doc__).strip()
        return f"{self._fn.__name__}({text})"


class _Nesting(_Instruction, collections.abc.Sequence[Any]):
    """An instruction that has parts. It is compiled when it is first used, and must not change from then on."""

    _STEPPER: type[Any]
    _STEPPED_AGAIN: ClassVar[Callable[[], BaseException] | None] = None
    """What comes of a step when all is done."""

    @functools.cached_property
    def _compiled(self) -> programs.CompiledOutline:
        return programs.CompiledOutline(self)

    @abc.abstractmethod
    def _nodes(self, address: programs.Address, to: programs.CompiledOutline) -> tuple[Node, ...]:
        """Get drupe's form of this."""

    def _part(self, pos: Any) -> Any:
        """Get the instruction at a position."""
        return self[pos].body

    def create_stepper(self, workchain: "WorkChain") -> Any:
        return self._STEPPER(self, workchain)

    def recreate_stepper(self, saved_state: SAVED_STATE_TYPE, workchain: "WorkChain") -> Any:
        context = persistence.LoadSaveContext(None, workchain=workchain, **{self._STEPPER._INSTRUCTION: self})
        return self._STEPPER.recreate_from(saved_state, context)


def _nodes_of(part: Any, address: programs.Address, to: programs.CompiledOutline) -> tuple[Node, ...]:
    kind = type(part)  # what somebody derives from these may step otherwise
    if kind is _FunctionCall:
        return (to.step(address, part._fn),)
    if kind is _Return:
        return (to.returns(address, functools.partial(_PropagateReturn, part._exit_code)),)
    if kind in (_Block, _If, _While):
        return part._nodes(address, to)  # type: ignore[no-any-return]
    return (to.steps(address, part.create_stepper),)


class _Block(_Nesting):
    """Instructions, one after the other."""

    _STEPPER = _BlockStepper
    _STEPPED_AGAIN: ClassVar[Callable[[], BaseException] | None] = functools.partial(
        AssertionError, "Can't call step after the block is finished"
    )

    def __init__(self, instructions: Sequence[Any]) -> None:
        self._instruction: list[_Instruction] = [_ensure_instruction(each) for each in instructions]

    def __getitem__(self, index: Any) -> Any:
        return self._instruction[index]

    def __len__(self) -> int:
        return len(self._instruction)

    def _nodes(self, address: programs.Address, to: programs.CompiledOutline) -> tuple[Node, ...]:
        if not self._instruction:
            return (to.steps(address, self.create_stepper),)
        return tuple(node for pos, each in enumerate(self) for node in _nodes_of(each, (*address, pos), to))

    def _part(self, pos: Any) -> Any:
        return self[pos]

    def get_description(self) -> list[Any]:
        return [each.get_description() for each in self._instruction]


class _Conditional:
    """A condition, and a block for when it is met.

    Args:
        parent: what calling this, to set the block, gives back.
        predicate: the condition.
        label: the word that it is written by.
    """

    def __init__(self, parent: _Instruction, predicate: PREDICATE_TYPE, label: str) -> None:
        self._parent = parent
        self._predicate = predicate
        self._body: _Block | None = None
        self._label = label

    @property
    def body(self) -> _Block:
        """The block; raises `AssertionError` when it was not set."""
        assert self._body is not None, "Instructions have not yet been set"
        return self._body

    @property
    def predicate(self) -> PREDICATE_TYPE:
        """The condition."""
        return self._predicate

    def is_true(self, workflow: "WorkChain") -> Any:
        """Get what the condition says; warns when that is not like a boolean."""
        result = self._predicate(workflow)
        if not hasattr(result, "__bool__"):
            warnings.warn(
                f"The conditional predicate `{self._predicate.__name__}` returned `{result}` which is not boolean-like."
                " The return value should be `True` or `False` or implement the `__bool__` method. This behavior is "
                "deprecated and will soon start raising an exception.",
                UserWarning,
                stacklevel=2,
            )
        return result

    def __call__(self, *instructions: Any) -> Any:
        assert self._body is None, "Instructions have already been set"
        self._body = _Block(instructions)
        return self._parent

    def __str__(self) -> str:
        return f"{self._label}({self.predicate.__name__})"


class _If(_Nesting):
    """Blocks, of which the first is done whose condition is met."""

    _STEPPER = _IfStepper

    def __init__(self, condition: PREDICATE_TYPE) -> None:
        super().__init__()
        self._ifs: list[_Conditional] = [_Conditional(self, condition, label=if_.__name__)]
        self._sealed = False

    def __getitem__(self, idx: Any) -> Any:
        return self._ifs[idx]

    def __len__(self) -> int:
        return len(self._ifs)

    def __call__(self, *commands: Any) -> "_If":
        self._ifs[0](*commands)
        return self

    def elif_(self, condition: PREDICATE_TYPE) -> _Conditional:
        """Add a condition; the block is set by calling what this gives."""
        self._ifs.append(_Conditional(self, condition, label=self.elif_.__name__))
        return self._ifs[-1]

    def else_(self, *commands: Any) -> "_If":
        """Add the block for when no condition is met; no more can be added then."""
        assert not self._sealed
        otherwise = _Conditional(self, lambda wf: True, label=self.else_.__name__)
        otherwise(*commands)
        self._ifs.append(otherwise)
        self._sealed = True
        return self

    def _nodes(self, address: programs.Address, to: programs.CompiledOutline) -> tuple[Node, ...]:
        arms = tuple(to.arm((*address, pos), each) for pos, each in enumerate(self))
        return (If(arms, (to.not_met((*address, len(self))),)),)

    def get_description(self) -> Mapping[str, Any]:
        first, *others = self._ifs
        found = collections.OrderedDict({f"if({first.predicate.__name__})": first.body.get_description()})
        for each in others:
            found[f"elif({each.predicate.__name__})"] = each.body.get_description()
        return found


class _While(_Conditional, _Nesting):
    """A block that is done again and again as long as a condition is met."""

    _STEPPER = _WhileStepper

    def __init__(self, predicate: PREDICATE_TYPE) -> None:
        super().__init__(self, predicate, label=while_.__name__)

    def __getitem__(self, idx: Any) -> Any:
        assert idx == 0
        return self

    def __len__(self) -> int:
        return 1

    def _nodes(self, address: programs.Address, to: programs.CompiledOutline) -> tuple[Node, ...]:
        return While(to.arm((*address, 0), self)), to.not_met((*address, 1))

    def get_description(self) -> dict[str, Any]:
        return {f"while({self.predicate.__name__})": self.body.get_description()}


class _Return(_Instruction):
    """The end of the whole outline."""

    def __init__(self, exit_code: EXIT_CODE_TYPE | None = None) -> None:
        super().__init__()
        self._exit_code = exit_code

    def __call__(self, exit_code: EXIT_CODE_TYPE) -> "_Return":
        return _Return(exit_code)

    def create_stepper(self, workchain: "WorkChain") -> _ReturnStepper:
        return _ReturnStepper(self, workchain)

    def recreate_stepper(self, saved_state: SAVED_STATE_TYPE, workchain: "WorkChain") -> _ReturnStepper:
        return _ReturnStepper(self, workchain)

    def get_description(self) -> str:
        return "Return from the outline immediately"


def if_(condition: PREDICATE_TYPE) -> _If:
    """Begin a condition: ``if_(cls.condition)(cls.step, …).elif_(cls.other)(cls.step, …).else_(cls.step, …)``."""
    return _If(condition)


def while_(condition: PREDICATE_TYPE) -> _While:
    """Begin a loop: ``while_(cls.condition)(cls.step, …)``."""
    return _While(condition)


return_ = _Return()
"""Ends the work chain, with None as the result; ``return_(code)`` ends it with the code."""


def _ensure_instruction(command: Any) -> _Instruction:
    return command if isinstance(command, _Instruction) else _FunctionCall(command)
