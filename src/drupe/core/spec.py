"""What a process class declares: its inputs, its outputs, and what it took over from others.

A spec is written in `define` and sealed when it is first used. Sealing ends
declaring; it does not freeze the ports, which the few who know what they do may still adjust.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypedDict, Unpack, cast

from drupe.core import expose
from drupe.core.issue import refuse
from drupe.core.namespace import NamespaceOptions, PortNamespace
from drupe.core.port import InputOptions, InputPort, OutputPort, Port, PortOptions
from drupe.errors import InputError, OutputError, SpecError

if TYPE_CHECKING:
    from drupe.core.attributes import Attributes, FrozenAttributes


class Specified(Protocol):
    """A class that has a spec: every process class."""

    @classmethod
    def spec(cls) -> "ProcessSpec":
        """The spec of the class."""
        ...


class ExposeOptions(TypedDict, total=False):
    """What can be said about taking over ports.

    `exclude` and `include` are dotted names, and only one of them is given; `namespace_options` go before the
    options of the inputs or outputs that are taken over.
    """

    exclude: Iterable[str] | None
    include: Iterable[str] | None
    namespace_options: Mapping[str, Any] | None


class ProcessSpec:
    """The declared inputs and outputs of a process class.

    Attributes:
        owner: the class that is described, to be named in errors.
        defined: whether the `define` of the class has reached that of `Process`, which sets it.
    """

    INPUT_PORT_TYPE: ClassVar[type[Port]] = InputPort
    OUTPUT_PORT_TYPE: ClassVar[type[Port]] = OutputPort
    PORT_NAMESPACE_TYPE: ClassVar[type[PortNamespace]] = PortNamespace

    def __init__(self, *, owner: type | None = None) -> None:
        self.owner = owner
        self.defined = False
        self._sealed = False
        self._ports = self.PORT_NAMESPACE_TYPE()
        self._ports.create_port_namespace("inputs")
        self._ports.create_port_namespace("outputs")
        self._exposed_inputs: expose.Exposed = {}
        self._exposed_outputs: expose.Exposed = {}

    @property
    def ports(self) -> PortNamespace:
        """The namespace that holds `inputs` and `outputs`."""
        return self._ports

    @property
    def inputs(self) -> PortNamespace:
        """The namespace of all inputs."""
        return cast("PortNamespace", self._ports["inputs"])

    @property
    def outputs(self) -> PortNamespace:
        """The namespace of all outputs."""
        return cast("PortNamespace", self._ports["outputs"])

    # --- declaring ------------------------------------------------------------------------------------------

    def input(self, name: str, **options: Unpack[InputOptions]) -> None:
        """Declare an input; a dotted name declares the namespaces on the way too. Declared again, it is replaced.

        Raises:
            SpecError: the declaration makes no sense, or the spec is sealed.
        """
        self._declare(self.inputs, self.INPUT_PORT_TYPE, name, options)

    def output(self, name: str, **options: Unpack[PortOptions]) -> None:
        """Declare an output; a dotted name declares the namespaces on the way too. Declared again, it is replaced.

        Raises:
            SpecError: the declaration makes no sense, or the spec is sealed.
        """
        self._declare(self.outputs, self.OUTPUT_PORT_TYPE, name, options)

    def input_namespace(self, name: str, **options: Unpack[NamespaceOptions]) -> None:
        """Declare a namespace of inputs; declared again, it is replaced by an empty one.

        Raises:
            SpecError: the declaration makes no sense, or the spec is sealed.
        """
        self._declare(self.inputs, self.PORT_NAMESPACE_TYPE, name, options)

    def output_namespace(self, name: str, **options: Unpack[NamespaceOptions]) -> None:
        """Declare a namespace of outputs; declared again, it is replaced by an empty one.

        Raises:
            SpecError: the declaration makes no sense, or the spec is sealed.
        """
        self._declare(self.outputs, self.PORT_NAMESPACE_TYPE, name, options)

    def expose_inputs(
        self, process_class: type[Specified], namespace: str | None = None, **options: Unpack[ExposeOptions]
    ) -> None:
        """Declare copies of the inputs of another class, in a namespace if one is named.

        Raises:
            SpecError: the choice of ports makes no sense, or the spec is sealed.
        """
        source = process_class.spec().inputs
        self._expose(source, self.inputs, self._exposed_inputs, process_class, namespace, options)

    def expose_outputs(
        self, process_class: type[Specified], namespace: str | None = None, **options: Unpack[ExposeOptions]
    ) -> None:
        """Declare copies of the outputs of another class, in a namespace if one is named.

        Raises:
            SpecError: the choice of ports makes no sense, or the spec is sealed.
        """
        source = process_class.spec().outputs
        self._expose(source, self.outputs, self._exposed_outputs, process_class, namespace, options)

    def seal(self) -> None:
        """End declaring."""
        self._sealed = True

    @property
    def sealed(self) -> bool:
        """Whether nothing can be declared any more."""
        return self._sealed

    # --- asking ---------------------------------------------------------------------------------------------

    @property
    def wants_outputs(self) -> bool:
        """Whether there is anything that emitting nothing could be wrong by."""
        outputs = self.outputs
        return len(outputs) > 0 or outputs.validator is not None

    def has_input(self, name: str) -> bool:
        """Whether an input or a namespace of this name is declared at the top."""
        return name in self.inputs

    def has_output(self, name: str) -> bool:
        """Whether an output or a namespace of this name is declared at the top."""
        return name in self.outputs

    def get_description(self) -> dict[str, Any]:
        """What is declared, in values that JSON has."""
        return {"inputs": self.inputs.get_description(), "outputs": self.outputs.get_description()}

    def prepare_inputs(self, given: Mapping[str, Any]) -> "FrozenAttributes":
        """The inputs of a process: read-only, complete with defaults, right.

        Raises:
            InputError: they do not fit; the text has all that is wrong, one a line.
        """
        kept, issues = self.inputs.prepare(given)
        if issues:
            refuse(issues, InputError)
        return kept

    def restore_inputs(self, saved: Mapping[str, Any]) -> "FrozenAttributes":
        """The inputs of a process again, from saved ones; nothing is filled in or checked."""
        return cast("FrozenAttributes", self.inputs.restore(saved))

    def validate_inputs(self, values: Mapping[str, Any]) -> None:
        """Pass if the inputs are right as they are; no default is called for.

        Raises:
            InputError: they do not fit; the text has all that is wrong, one a line.
        """
        refuse(self.inputs.check(values), InputError)

    def validate_outputs(self, values: Mapping[str, Any]) -> None:
        """Pass if the outputs are right and complete.

        Raises:
            OutputError: they do not fit; the text has all that is wrong, one a line.
        """
        issues = self.outputs.check(values)
        if issues:
            refuse(issues, OutputError)

    def validate_output(self, name: str, value: Any) -> bool:
        """Pass if the value is right for the output of this dotted name, and say whether it is a dynamic one.

        Raises:
            OutputError: it does not fit.
        """
        issues, dynamic = self.outputs.check_at(name, value)
        refuse(issues, OutputError)
        return dynamic

    def exposed_inputs(
        self,
        process_class: type,
        inputs: Mapping[str, Any],
        namespace: str | None = None,
        *,
        agglomerate: bool = True,
    ) -> "Attributes":
        """The inputs for a process of an exposed class, out of those of the process that exposed it; to be changed freely.

        With `agglomerate` also what was exposed further up on the way to `namespace`; the deepest wins.

        Raises:
            SpecError: no input of the class was exposed there.
        """
        return expose.exposed_inputs(self._exposed_inputs, process_class, inputs, namespace, agglomerate=agglomerate)

    def exposed_outputs(
        self,
        process_class: type,
        outputs: Mapping[str, Any],
        namespace: str | None = None,
        *,
        agglomerate: bool = True,
    ) -> dict[str, Any]:
        """The outputs of a process of an exposed class, by the dotted names under which they were exposed.

        With `agglomerate` also what was exposed further up on the way to `namespace`; each goes to the deepest.

        Raises:
            SpecError: no output of the class was exposed there.
        """
        return expose.exposed_outputs(self._exposed_outputs, process_class, outputs, namespace, agglomerate=agglomerate)

    def _declare(self, root: PortNamespace, kind: type[Port], name: str, options: Mapping[str, Any]) -> None:
        self._refuse_if_sealed(f"{root.name}.{name}")
        root.create_port(name, kind, **options)

    def _expose(
        self,
        source: PortNamespace,
        root: PortNamespace,
        exposed: expose.Exposed,
        process_class: type[Specified],
        namespace: str | None,
        options: ExposeOptions,
    ) -> None:
        self._refuse_if_sealed(f"the {root.name} of {process_class.__qualname__}")
        target = root if namespace is None else root.create_port_namespace(namespace)
        expose.remember(exposed, namespace, process_class, target.absorb(source, **options))

    def _refuse_if_sealed(self, what: str) -> None:
        if self._sealed:
            whose = "this spec" if self.owner is None else f"the spec of {self.owner.__qualname__}"
            message = f"cannot declare {what}: {whose} is sealed, since it is in use; declare it in define()"
            raise SpecError(message)
