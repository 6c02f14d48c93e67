"""The spec of a process class: declaring, sealing, and raising what its ports find."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.attributes import FrozenAttributes
from drupe.core.namespace import PortNamespace
from drupe.core.port import InputPort, OutputPort
from drupe.core.spec import ProcessSpec
from drupe.errors import InputError, OutputError, SpecError


class Energy:
    pass


@pytest.fixture
def spec():
    spec = ProcessSpec(owner=Energy)
    spec.input("cell.volume", valid_type=float, help="Volume of the cell in Å³.")
    spec.input("points", valid_type=int, default=7)
    spec.output("energy", valid_type=float)
    spec.output_namespace("more", dynamic=True)
    return spec


class TestDeclaring:
    def test_ports_are_declared_with_their_options(self, spec):
        port = spec.inputs.get_port("cell.volume")
        assert (type(port), port.name, port.valid_type) == (InputPort, "volume", float)
        assert type(spec.outputs["energy"]) is OutputPort
        assert spec.outputs["more"].dynamic

    def test_inputs_and_outputs_are_namespaces_of_one(self, spec):
        assert list(spec.ports) == ["inputs", "outputs"]
        assert spec.ports.get_port("inputs.cell.volume") is spec.inputs["cell"]["volume"]

    def test_only_what_is_at_the_top_is_had(self, spec):
        assert spec.has_input("cell")
        assert not spec.has_input("volume")
        assert spec.has_output("energy")
        assert not spec.has_output("points")

    def test_a_port_declared_again_is_replaced(self, spec):
        spec.input("points", valid_type=str)
        assert spec.inputs["points"].valid_type is str
        assert spec.inputs["points"].required

    def test_namespaces_are_declared_by_dotted_names(self, spec):
        spec.input_namespace("a.b", help="Why.", valid_type=int)
        assert spec.inputs.get_port("a.b").help == "Why."
        assert spec.inputs.get_port("a").help is None

    @pytest.mark.parametrize("name", ["", "a.", ".a", "a..b", 3])
    def test_what_is_no_name_is_refused(self, spec, name):
        with pytest.raises(SpecError, match="a port is named by text"):
            spec.input(name)

    def test_a_port_in_the_way_is_an_error(self, spec):
        with pytest.raises(SpecError, match="'points' in namespace 'inputs' is a port, not a namespace"):
            spec.input("points.x")

    def test_the_kinds_of_ports_are_those_of_the_class(self):
        class OwnInput(InputPort):
            pass

        class OwnOutput(OutputPort):
            pass

        class OwnNamespace(PortNamespace):
            pass

        class OwnSpec(ProcessSpec):
            INPUT_PORT_TYPE = OwnInput
            OUTPUT_PORT_TYPE = OwnOutput
            PORT_NAMESPACE_TYPE = OwnNamespace

        spec = OwnSpec()
        spec.input("a.b")
        spec.output("c")
        spec.output_namespace("d")
        assert type(spec.inputs.get_port("a.b")) is OwnInput
        assert type(spec.outputs["c"]) is OwnOutput
        assert {type(port) for port in (spec.ports, spec.inputs, spec.inputs["a"], spec.outputs["d"])} == {OwnNamespace}

    def test_a_subclass_may_initialise_in_front(self):
        class Extra:
            def __init__(self, **options):
                super().__init__(**options)
                self.extra = []

        class OwnSpec(Extra, ProcessSpec):
            pass

        spec = OwnSpec(owner=Energy)
        assert (spec.extra, spec.owner) == ([], Energy)


def test_a_spec_is_not_defined_until_the_engine_says_so(spec):
    assert not spec.defined


class TestSealing:
    @pytest.mark.parametrize(
        ("declare", "what"),
        [
            (lambda spec: spec.input("a.b"), "inputs.a.b"),
            (lambda spec: spec.output("a"), "outputs.a"),
            (lambda spec: spec.input_namespace("a"), "inputs.a"),
            (lambda spec: spec.output_namespace("a"), "outputs.a"),
            (lambda spec: spec.expose_inputs(Other), "the inputs of Other"),
            (lambda spec: spec.expose_outputs(Other), "the outputs of Other"),
        ],
    )
    def test_nothing_is_declared_after_it(self, spec, declare, what):
        before = spec.get_description()
        spec.seal()
        with pytest.raises(SpecError, match=f"^cannot declare {what}: the spec of Energy is sealed"):
            declare(spec)
        assert spec.get_description() == before

    def test_sealing_twice_is_sealing_once(self, spec):
        assert not spec.sealed
        spec.seal()
        spec.seal()
        assert spec.sealed

    def test_a_spec_of_nobody_is_just_this_spec(self):
        spec = ProcessSpec()
        spec.seal()
        with pytest.raises(SpecError, match="this spec is sealed"):
            spec.input("a")

    def test_ports_may_still_be_adjusted(self, spec):
        spec.seal()
        spec.inputs["points"].default = 9
        spec.outputs.dynamic = True
        assert spec.prepare_inputs({"cell": {"volume": 1.0}}).points == 9
        spec.validate_outputs({"energy": 1.0, "more": {}, "other": 2})


class Other:
    @classmethod
    def spec(cls):
        spec = ProcessSpec()
        spec.input("a")
        spec.output("a")
        return spec


class TestValues:
    def test_inputs_are_prepared(self, spec):
        kept = spec.prepare_inputs({"cell": {"volume": 1.0}})
        assert kept == {"cell": {"volume": 1.0}, "points": 7}
        assert type(kept) is FrozenAttributes

    def test_inputs_that_do_not_fit_raise_all_that_is_wrong(self, spec):
        with pytest.raises(ValueError, match="inputs") as caught:
            spec.prepare_inputs({"points": "x", "cel": {}})
        assert type(caught.value) is InputError
        assert str(caught.value).splitlines() == [
            "inputs.cell.volume: required, but not given (float: Volume of the cell in Å³.)",
            "inputs.points: expected int, got str 'x'",
            "inputs.cel: unknown input; did you mean 'cell'?",
        ]

    def test_inputs_can_be_validated_as_they_are(self, spec):
        spec.validate_inputs({"cell": {"volume": 1.0}})
        with pytest.raises(InputError, match=r"^inputs\.cell\.volume: expected float"):
            spec.validate_inputs({"cell": {"volume": 1}})

    def test_inputs_are_restored_without_a_look_at_them(self, spec):
        kept = spec.restore_inputs({"cell": {"volume": "x"}})
        assert kept.cell.volume == "x"
        assert type(kept.cell) is FrozenAttributes

    def test_outputs_are_validated_in_the_end(self, spec):
        spec.validate_outputs({"energy": 1.0, "more": {"x": 1}})
        with pytest.raises(OutputError, match=r"^outputs\.energy: required, but not given \(float\)$"):
            spec.validate_outputs({})

    def test_an_output_is_validated_when_it_comes(self, spec):
        assert spec.validate_output("energy", 1.0) is False
        assert spec.validate_output("more.x", 1) is True
        with pytest.raises(OutputError, match=r"^outputs\.energy: expected float, got str 'x'$"):
            spec.validate_output("energy", "x")
        with pytest.raises(OutputError, match=r"^outputs\.enrgy: unknown output; did you mean 'energy'\?$"):
            spec.validate_output("enrgy", 1.0)


def test_a_description_is_made_of_what_json_has(spec):
    description = spec.get_description()
    assert list(description) == ["inputs", "outputs"]
    assert json.loads(json.dumps(description)) == description


@given(st.lists(st.sampled_from(["a", "b", "a.c", "b.c", "b.c.d"]), unique=True))
def test_what_is_declared_is_found_by_its_name_unless_a_port_is_in_the_way(names):
    spec, declared = ProcessSpec(), []
    for name in sorted(names):
        if any(name.startswith(f"{other}.") for other in declared):
            with pytest.raises(SpecError, match="is a port, not a namespace"):
                spec.input(name)
        else:
            spec.input(name, help=name)
            declared.append(name)
    assert [spec.inputs.get_port(name).help for name in declared] == declared
