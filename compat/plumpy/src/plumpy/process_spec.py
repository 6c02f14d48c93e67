"""What a process class declares: its input and output ports."""

import collections
import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from drupe.core import spec
from plumpy.ports import InputPort, OutputPort, Port, PortNamespace

if TYPE_CHECKING:
    from plumpy.processes import Process

EXPOSED_TYPE = dict[str | None, dict[type["Process"], Sequence[str]]]


class ProcessSpec(spec.ProcessSpec):
    """Input and output ports. Every process class has one, which is sealed when the first process is made."""

    NAME_INPUTS_PORT_NAMESPACE: str = "inputs"
    NAME_OUTPUTS_PORT_NAMESPACE: str = "outputs"
    PORT_NAMESPACE_TYPE: ClassVar[Any] = PortNamespace
    INPUT_PORT_TYPE: ClassVar[Any] = InputPort
    OUTPUT_PORT_TYPE: ClassVar[Any] = OutputPort

    def __init__(self) -> None:
        super().__init__()
        self._logger = logging.getLogger(__name__)
        self._exposed_inputs: Any = _memory()
        self._exposed_outputs: Any = _memory()

    def __str__(self) -> str:
        return json.dumps(self.get_description(), sort_keys=True, indent=4)

    @property
    def namespace_separator(self) -> str:
        """What stands between the names in a dotted name."""
        separator: str = self.PORT_NAMESPACE_TYPE.NAMESPACE_SEPARATOR
        return separator

    @property
    def logger(self) -> logging.Logger:
        """The logger of specifications."""
        return self._logger

    @property
    def inputs(self) -> PortNamespace:
        """The input ports."""
        found: Any = self._ports[self.NAME_INPUTS_PORT_NAMESPACE]
        return found  # type: ignore[no-any-return]

    @property
    def outputs(self) -> PortNamespace:
        """The output ports."""
        found: Any = self._ports[self.NAME_OUTPUTS_PORT_NAMESPACE]
        return found  # type: ignore[no-any-return]

    def _create_port(self, port_namespace: PortNamespace, port_class: type[Port], name: str, **kwargs: Any) -> None:
        if self.sealed:
            raise RuntimeError("Cannot add an output port after the spec has been sealed")
        namespace, nested, last = name.rpartition(self.namespace_separator)
        if nested:
            port_namespace = port_namespace.create_port_namespace(namespace)
        port_namespace[last] = port_class(last, **kwargs)

    def input(self, name: str, **kwargs: Any) -> None:
        """Declare an input port by its dotted name; ``kwargs`` are the options of `InputPort`."""
        self._create_port(self.inputs, self.INPUT_PORT_TYPE, name, **kwargs)

    def output(self, name: str, **kwargs: Any) -> None:
        """Declare an output port by its dotted name; ``kwargs`` are the options of `OutputPort`."""
        self._create_port(self.outputs, self.OUTPUT_PORT_TYPE, name, **kwargs)

    def input_namespace(self, name: str, **kwargs: Any) -> None:
        """Declare a namespace of input ports by its dotted name; ``kwargs`` are the options of `PortNamespace`."""
        self._create_port(self.inputs, self.PORT_NAMESPACE_TYPE, name, **kwargs)

    def output_namespace(self, name: str, **kwargs: Any) -> None:
        """Declare a namespace of output ports by its dotted name; ``kwargs`` are the options of `PortNamespace`."""
        self._create_port(self.outputs, self.PORT_NAMESPACE_TYPE, name, **kwargs)

    def expose_inputs(  # type: ignore[override]  # the options have places here
        self,
        process_class: "type[Any]",
        namespace: str | None = None,
        exclude: Sequence[str] | None = None,
        include: Sequence[str] | None = None,
        namespace_options: dict[str, Any] | None = None,
    ) -> None:
        """Take over the input ports of another process class.

        Args:
            process_class: the other class.
            namespace: where they are put.
            exclude: dotted names of ports not to take.
            include: dotted names of ports to take, and no others.
            namespace_options: options for the namespace they are put into.
        """
        self._expose_ports(
            process_class,
            process_class.spec().inputs,
            self.inputs,
            self._exposed_inputs,
            namespace,
            exclude,
            include,
            namespace_options,
        )

    def expose_outputs(  # type: ignore[override]  # the options have places here
        self,
        process_class: "type[Any]",
        namespace: str | None = None,
        exclude: Sequence[str] | None = None,
        include: Sequence[str] | None = None,
        namespace_options: dict[str, Any] | None = None,
    ) -> None:
        """Take over the output ports of another process class; the arguments are those of `expose_inputs`."""
        self._expose_ports(
            process_class,
            process_class.spec().outputs,
            self.outputs,
            self._exposed_outputs,
            namespace,
            exclude,
            include,
            namespace_options,
        )

    @staticmethod
    def _expose_ports(
        process_class: "type[Process]",
        source: PortNamespace,
        destination: PortNamespace,
        expose_memory: EXPOSED_TYPE,
        namespace: str | None,
        exclude: Sequence[str] | None,
        include: Sequence[str] | None,
        namespace_options: dict[str, Any] | None = None,
    ) -> None:
        if exclude and include is not None:
            raise ValueError("exclude and include are mutually exclusive")
        if namespace:
            destination = destination.create_port_namespace(namespace)
        expose_memory[namespace][process_class] = destination.absorb(source, exclude, include, namespace_options or {})


def _memory() -> EXPOSED_TYPE:
    return collections.defaultdict(lambda: collections.defaultdict(list))
