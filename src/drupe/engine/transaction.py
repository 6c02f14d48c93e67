"""What a step writes of its own into the database that keeps its checkpoint: with it, or not at all."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from drupe.core.control import Posture
from drupe.core.statement import Statement, statement
from drupe.engine.life import Life
from drupe.errors import InvalidStateError, StatementError

_IN_STEP: Final = (Posture.BUSY, Posture.PAUSING, Posture.KILLING)


class Transaction:
    """Statements that are run in the transaction of the step's checkpoint; ``async with`` or ``with``, once.

    They are collected, and run when the step has ended, in the order in which their blocks were left. A block that is
    left by an exception leaves nothing.
    """

    def __init__(self, life: Life) -> None:
        if life.posture not in _IN_STEP:
            raise InvalidStateError(f"process {life.pid} is in no step: there is no checkpoint to write something with")
        if life.host.dialect is None:
            raise StatementError(
                f"process {life.pid} is kept in no database: what it writes with its checkpoint needs a store that is one"
            )
        self.dialect: str = life.host.dialect
        """Which SQL the database speaks: ``sqlite`` or ``postgresql``."""
        self._life = life
        self._statements: list[Statement] | None = None

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), *, rows: int | None = None) -> None:
        """Have one statement run with the checkpoint.

        If it fails then, or changes another number of rows than it has to, nothing of the step is written, and the
        process ends as EXCEPTED by a `StatementError`.

        Args:
            sql: the statement, in the database's own words, with placeholders for values. It changes data or tables;
                the tables of drupe may be read and not be changed.
            parameters: the values: None, bool, int, float, str, bytes.
            rows: how many rows it has to change; any number by default.

        Raises:
            StatementError: it is none that can be run so.
            InvalidStateError: it is not between ``async with`` and its end.
        """
        if self._statements is None:
            raise InvalidStateError("statements are given inside of `async with self.transaction() as transaction:`")
        self._statements.append(statement(sql, parameters, rows))

    def __enter__(self) -> Self:
        self._statements = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        found, self._statements = self._statements, None
        if error is None and found:
            self._life.statements = (*self._life.statements, *found)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
