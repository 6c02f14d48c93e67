"""What may be added to a process class."""

from typing import Any

from plumpy import persistence
from plumpy.utils import SAVED_STATE_TYPE, AttributesDict

__all__ = ["ContextMixin"]


class ContextMixin(persistence.Savable):
    """Adds a context: what steps leave to each other in `ctx`. It is saved with the process."""

    CONTEXT: str = "_context"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._context: AttributesDict | None = AttributesDict()

    @property
    def ctx(self) -> Any:
        """The context, whose items are attributes too."""
        return self._context

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        """Save the context: not a copy of it, so copy or write what was saved before the process goes on."""
        super().save_instance_state(out_state, save_context)
        if self._context is not None:
            out_state[self.CONTEXT] = self._context.__dict__

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Become what was saved."""
        super().load_instance_state(saved_state, load_context)
        if self.CONTEXT in saved_state:
            self._context = AttributesDict(**saved_state[self.CONTEXT])
