"""Taking over ports of another class, and finding their values again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.attributes import Attributes
from drupe.core.expose import Selection
from drupe.core.spec import ProcessSpec
from drupe.errors import SpecError


def specified(*inputs, outputs=()):
    """A class with a spec of these inputs and outputs."""
    spec = ProcessSpec()
    for name in inputs:
        spec.input(name, required=False)
    for name in outputs:
        spec.output(name)
    return type("Child", (), {"spec": classmethod(lambda cls: spec)})


@pytest.fixture
def child():
    return specified("a", "b", "cell.volume", "cell.mass", outputs=("energy", "more.x", "more.y"))


@pytest.fixture
def spec():
    return ProcessSpec()


class TestSelection:
    def test_all_is_taken_by_default(self):
        chosen = Selection.of(None, None)
        assert chosen.takes("a")
        assert chosen.within("a") == chosen

    def test_to_include_nothing_is_to_take_nothing(self):
        assert not Selection.of(None, []).takes("a")

    def test_to_exclude_nothing_is_to_take_all(self):
        assert Selection.of([], None).takes("a")

    def test_a_name_that_only_begins_alike_is_another_name(self):
        assert not Selection.of(None, ["ab.c"]).takes("a")
        assert Selection.of(["ab"], None).takes("a")

    def test_a_name_and_a_name_within_it_is_the_whole(self):
        assert Selection.of(None, ["a", "a.b"]).within("a").takes("c")

    @pytest.mark.parametrize("options", [("cell", None), (None, "cell")])
    def test_a_bare_text_is_refused_since_it_would_be_read_letter_by_letter(self, options):
        with pytest.raises(SpecError, match=r"write \['cell'\]"):
            Selection.of(*options)


class TestExposing:
    def test_inputs_and_outputs_are_declared_as_copies(self, spec, child):
        spec.expose_inputs(child)
        spec.expose_outputs(child)
        assert list(spec.inputs) == ["a", "b", "cell"]
        assert list(spec.outputs) == ["energy", "more"]
        assert spec.inputs["a"] is not child.spec().inputs["a"]

    def test_they_are_put_into_a_namespace(self, spec, child):
        spec.expose_inputs(child, namespace="sub.deep", namespace_options={"required": False, "help": "Why."})
        assert list(spec.inputs) == ["sub"]
        deep = spec.inputs["sub"]["deep"]
        assert list(deep) == ["a", "b", "cell"]
        assert (deep.required, deep.help) == (False, "Why.")

    def test_a_choice_is_made_by_dotted_names(self, spec, child):
        spec.expose_inputs(child, include=["a", "cell.mass"])
        spec.expose_outputs(child, exclude=["more.x", "energy"])
        assert list(spec.inputs) == ["a", "cell"]
        assert list(spec.inputs["cell"]) == ["mass"]
        assert list(spec.outputs) == ["more"]
        assert list(spec.outputs["more"]) == ["y"]

    def test_what_was_declared_before_stays(self, spec, child):
        spec.input("own")
        spec.expose_inputs(child, include=["a"])
        assert list(spec.inputs) == ["own", "a"]


class TestFindingInputs:
    def test_the_values_of_exposed_ports_are_found(self, spec, child):
        spec.input("own")
        spec.expose_inputs(child, exclude=["b"])
        given = spec.prepare_inputs({"own": 1, "a": 2, "cell": {"volume": 3}})
        assert spec.exposed_inputs(child, given) == {"a": 2, "cell": {"volume": 3}}

    def test_they_can_be_changed_freely(self, spec, child):
        spec.expose_inputs(child)
        given = spec.prepare_inputs({"cell": {"volume": 3}})
        found = spec.exposed_inputs(child, given)
        found.cell.volume, found.a = 4, 5
        assert isinstance(found, Attributes)
        assert given == {"cell": {"volume": 3}}

    def test_those_of_a_namespace_win_over_those_further_up(self, spec, child):
        spec.expose_inputs(child, include=["a", "b"])
        spec.expose_inputs(child, namespace="x.y", include=["a"])
        given = {"a": 1, "b": 2, "x": {"y": {"a": 3}}}
        assert spec.exposed_inputs(child, given) == {"a": 1, "b": 2}
        assert spec.exposed_inputs(child, given, "x.y") == {"a": 3, "b": 2}
        assert spec.exposed_inputs(child, given, "x") == {"a": 1, "b": 2}

    def test_without_agglomerating_only_the_namespace_counts(self, spec, child):
        spec.expose_inputs(child, include=["b"])
        spec.expose_inputs(child, namespace="x", include=["a"])
        given = {"b": 2, "x": {"a": 3}}
        assert spec.exposed_inputs(child, given, "x", agglomerate=False) == {"a": 3}

    def test_a_namespace_that_was_not_given_has_no_values(self, spec, child):
        spec.expose_inputs(child, namespace="x.y")
        assert spec.exposed_inputs(child, {}, "x.y") == {}

    def test_exposing_twice_adds_to_what_is_found(self, spec, child):
        spec.expose_inputs(child, include=["a"])
        spec.expose_inputs(child, include=["b"])
        assert spec.exposed_inputs(child, {"a": 1, "b": 2}) == {"a": 1, "b": 2}

    def test_a_class_that_was_not_exposed_there_is_an_error(self, spec, child):
        spec.expose_inputs(child, namespace="x")
        with pytest.raises(SpecError, match=r"^no port of Child was exposed$"):
            spec.exposed_inputs(child, {})
        with pytest.raises(SpecError, match=r"^no port of Child was exposed in namespace 'y'$"):
            spec.exposed_inputs(child, {}, "y")
        with pytest.raises(SpecError, match=r"^no port of Other was exposed in namespace 'x'$"):
            spec.exposed_inputs(type("Other", (), {}), {}, "x")

    @given(st.sets(st.sampled_from(["a", "b", "c"])), st.sets(st.sampled_from(["a", "b", "c"])))
    def test_what_was_excluded_is_never_found(self, excluded, given_names):
        child, spec = specified("a", "b", "c"), ProcessSpec()
        for name in excluded:
            spec.input(name, required=False)
        spec.expose_inputs(child, exclude=excluded)
        found = spec.exposed_inputs(child, spec.prepare_inputs(dict.fromkeys(given_names, 1)))
        assert found.keys() == given_names - excluded


class TestFindingOutputs:
    def test_outputs_are_found_by_the_names_they_were_exposed_under(self, spec, child):
        spec.expose_outputs(child)
        outputs = {"energy": 1, "more": {"x": 2}, "undeclared": 3}
        assert spec.exposed_outputs(child, outputs) == {"energy": 1, "more": {"x": 2}}

    def test_each_goes_to_the_deepest_namespace(self, spec, child):
        spec.expose_outputs(child)
        spec.expose_outputs(child, namespace="x.y", include=["energy"])
        outputs = {"energy": 1, "more": {"x": 2}}
        assert spec.exposed_outputs(child, outputs, "x.y") == {"x.y.energy": 1, "more": {"x": 2}}
        assert spec.exposed_outputs(child, outputs, "x.y", agglomerate=False) == {"x.y.energy": 1}

    def test_a_class_that_was_not_exposed_is_an_error(self, spec, child):
        with pytest.raises(SpecError, match="no port of Child was exposed"):
            spec.exposed_outputs(child, {})
