"""What namespaces do with values: judging, filling in, and keeping up with changed declarations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.attributes import FrozenAttributes
from drupe.core.issue import Issue
from drupe.core.namespace import PortNamespace
from drupe.core.port import UNSPECIFIED, InputPort, OutputPort


def inputs(**ports):
    namespace = PortNamespace("inputs")
    for name, options in ports.items():
        namespace[name] = InputPort(name, **options) if isinstance(options, dict) else options
    return namespace


def space(name="cell", /, ports=None, **options):
    namespace = PortNamespace(name, **options)
    for child, port in (ports or {}).items():
        namespace[child] = InputPort(child, **port) if isinstance(port, dict) else port
    return namespace


def prepared(namespace, given):
    kept, issues = namespace.prepare(given)
    assert not issues, [str(issue) for issue in issues]
    return kept


def complaints(namespace, given):
    return [str(issue) for issue in namespace.prepare(given)[1]]


class TestPreparing:
    def test_values_are_kept_and_defaults_filled_in(self):
        namespace = inputs(a={"valid_type": int}, b={"default": 2}, c={"required": False})
        assert prepared(namespace, {"a": 1}) == {"a": 1, "b": 2}

    def test_what_is_given_goes_before_the_default(self):
        assert prepared(inputs(a={"default": 1}), {"a": None}) == {"a": None}

    def test_lazy_defaults_are_called_for_each_process_and_only_if_needed(self):
        namespace = inputs(a={"default": list}, b={"default": lambda: pytest.fail("called")})
        first, second = prepared(namespace, {"b": 1}), prepared(namespace, {"b": 1})
        assert first == {"a": [], "b": 1}
        assert first.a is not second.a

    def test_the_result_cannot_be_changed_all_the_way_down(self):
        kept = prepared(inputs(cell=space(ports={"volume": {}})), {"cell": {"volume": 1}})
        assert type(kept) is type(kept.cell) is FrozenAttributes

    def test_what_was_given_is_left_as_it_was(self):
        given = {"cell": {}}
        prepared(inputs(a={"default": 1}, cell=space(ports={"volume": {"default": 1}})), given)
        assert given == {"cell": {}}

    def test_values_are_the_callers_own(self):
        value = {"x": [1]}
        assert prepared(inputs(a={"valid_type": dict}), {"a": value})["a"] is value

    def test_defaults_are_filled_into_nested_namespaces(self):
        namespace = inputs(
            cell=space(ports={"volume": {"default": 1.0}, "sites": space("sites", {"n": {"default": list}})})
        )
        assert prepared(namespace, {}) == {"cell": {"volume": 1.0, "sites": {"n": []}}}

    def test_giving_the_sentinel_is_giving_nothing(self):
        namespace = inputs(a={"default": 1}, b={"required": False}, c={"required": False, "valid_type": int})
        assert prepared(namespace, {"a": UNSPECIFIED, "b": UNSPECIFIED, "c": UNSPECIFIED}) == {"a": 1}

    def test_an_empty_spec_and_no_inputs_make_nothing_anew(self):
        namespace = inputs()
        assert prepared(namespace, {}) is prepared(namespace, {})

    def test_constant_defaults_make_nothing_anew(self):
        namespace = inputs(a={"default": 1}, cell=space(ports={"volume": {"default": 1.0}}))
        assert prepared(namespace, {}) is prepared(namespace, {})
        assert prepared(namespace, {"a": 2}).cell is prepared(namespace, {}).cell


class TestIssues:
    def test_a_value_of_the_wrong_type_is_named_by_its_full_path(self):
        namespace = inputs(cell=space(ports={"volume": {"valid_type": float}}))
        assert complaints(namespace, {"cell": {"volume": "abc"}}) == [
            "inputs.cell.volume: expected float, got str 'abc'"
        ]

    def test_a_missing_value_is_named_within_a_namespace_that_was_not_given(self):
        namespace = inputs(cell=space(ports={"volume": {"valid_type": float, "help": "How large."}}))
        assert complaints(namespace, {}) == ["inputs.cell.volume: required, but not given (float: How large.)"]

    def test_an_unknown_value_is_refused(self):
        assert complaints(inputs(volume={}), {"volume": 1, "volumee": 2}) == [
            "inputs.volumee: unknown input; did you mean 'volume'?"
        ]

    def test_an_unknown_value_is_found_beside_a_missing_optional_one(self):
        assert complaints(inputs(a={"required": False}), {"x": 1}) == ["inputs.x: unknown input; there is 'a'"]

    def test_all_issues_are_found(self):
        namespace = inputs(a={"valid_type": int}, b={}, cell=space(ports={"volume": {"valid_type": float}}))
        assert complaints(namespace, {"a": "x", "c": 1, "cell": {"volume": 1, "mass": 2}}) == [
            "inputs.a: expected int, got str 'x'",
            "inputs.b: required, but not given",
            "inputs.cell.volume: expected float, got int 1",
            "inputs.cell.mass: unknown input; there is 'volume'",
            "inputs.c: unknown input; there are 'a', 'b', 'cell'",
        ]

    @pytest.mark.parametrize("value", [3, None, [("volume", 1)]])
    def test_a_namespace_takes_a_mapping_only(self, value):
        (complaint,) = complaints(inputs(cell=space(ports={"volume": {}})), {"cell": value})
        assert complaint.startswith("inputs.cell: expected Mapping, got ")

    def test_names_are_text(self):
        assert complaints(inputs(cell=space(dynamic=True)), {"cell": {3: 4}}) == [
            "inputs.cell: the name of a value is text, not 3"
        ]

    def test_validate_gives_the_first_issue_of_values_as_they_are(self):
        namespace = inputs(a={"valid_type": int}, b={"default": 1}, c={})
        assert namespace.validate({"a": 1, "c": 2}) is None
        assert namespace.validate({"a": "x"}, ("p",)) == Issue("expected int, got str 'x'", "p.inputs.a")
        assert namespace.validate() == Issue("required, but not given (int)", "inputs.a")

    def test_check_gives_all_issues_and_fills_nothing_in(self):
        namespace = inputs(a={"default": lambda: pytest.fail("called")}, b={}, c={})
        assert [issue.port for issue in namespace.check({})] == ["inputs.b", "inputs.c"]


class TestOptionalNamespaces:
    def test_one_that_is_not_given_is_not_judged(self):
        namespace = inputs(
            cell=space(required=False, ports={"volume": {}, "mass": {"default": lambda: pytest.fail("called")}})
        )
        assert prepared(namespace, {}) == {"cell": {}}
        assert prepared(namespace, {"cell": {}}) == {"cell": {}}
        assert namespace.check({}) == []

    def test_one_that_is_given_is_judged(self):
        namespace = inputs(cell=space(required=False, ports={"volume": {}, "mass": {"default": 1}}))
        assert complaints(namespace, {"cell": {"mass": 2}}) == ["inputs.cell.volume: required, but not given"]

    def test_defaults_are_filled_in_where_they_suffice(self):
        namespace = inputs(cell=space(required=False, ports={"mass": {"default": 1}, "name": {"required": False}}))
        assert prepared(namespace, {}) == prepared(namespace, {"cell": {}}) == {"cell": {"mass": 1}}

    def test_its_validator_is_not_asked_about_nothing(self):
        namespace = inputs(cell=space(required=False, validator=lambda values: pytest.fail("asked")))
        assert prepared(namespace, {}) == {"cell": {}}

    def test_a_default_of_a_namespace_within_suffices(self):
        inner = space("inner", default={"a": 1}, ports={"a": {}})
        assert prepared(inputs(cell=space(required=False, ports={"inner": inner})), {}) == {"cell": {"inner": {"a": 1}}}

    def test_one_within_another_is_left_empty_too(self):
        inner = space("inner", required=False, ports={"a": {}})
        assert prepared(inputs(cell=space(required=False, ports={"inner": inner})), {}) == {"cell": {"inner": {}}}


class TestNamespaceOptions:
    def test_the_default_of_a_namespace_is_completed_and_judged(self):
        namespace = inputs(cell=space(default={"a": "x"}, ports={"a": {"valid_type": int}, "b": {"default": 2}}))
        assert namespace.prepare({})[0] == {"cell": {"a": "x", "b": 2}}
        assert complaints(namespace, {}) == ["inputs.cell.a: expected int, got str 'x'"]
        assert namespace.check({}) == []

    def test_a_lazy_default_of_a_namespace_is_called(self):
        namespace = inputs(cell=space(default=lambda: {"a": 1}, ports={"a": {}}))
        assert prepared(namespace, {}) == {"cell": {"a": 1}}

    def test_without_populating_a_namespace_not_given_stays_absent(self):
        namespace = inputs(cell=space(populate_defaults=False, ports={"a": {"default": 1}}))
        assert prepared(namespace, {}) == {}
        assert prepared(namespace, {"cell": {}}) == {"cell": {"a": 1}}

    def test_without_populating_required_values_are_still_asked_for(self):
        namespace = inputs(cell=space(populate_defaults=False, ports={"a": {}, "b": {"default": 1}}))
        assert complaints(namespace, {}) == ["inputs.cell.a: required, but not given"]

    def test_a_validator_sees_all_values_and_the_namespace(self):
        def same(values, port):
            return None if values["a"] == values["b"] else f"{port.name}: {sorted(values.items())}"

        namespace = inputs(cell=space(validator=same, ports={"a": {}, "b": {"default": 1}}))
        assert complaints(namespace, {"cell": {"a": 2}}) == ["inputs.cell: cell: [('a', 2), ('b', 1)]"]
        assert complaints(namespace, {"cell": {"a": 1}}) == []

    def test_a_validator_is_not_asked_about_values_that_are_wrong(self):
        namespace = inputs(cell=space(validator=lambda values: pytest.fail("asked"), ports={"a": {"valid_type": int}}))
        assert complaints(namespace, {"cell": {"a": "x"}}) == ["inputs.cell.a: expected int, got str 'x'"]

    def test_the_validator_of_a_required_namespace_is_asked_about_nothing(self):
        assert complaints(inputs(cell=space(validator=lambda values: "empty")), {}) == ["inputs.cell: empty"]
        namespace = inputs()
        namespace.validator = lambda values: "empty"
        assert complaints(namespace, {}) == ["inputs: empty"]


class TestDynamic:
    def test_any_value_is_kept_as_it_is(self):
        value = {"x": 1}
        kept = prepared(inputs(cell=space(dynamic=True)), {"cell": {"a": value}})
        assert kept.cell["a"] is value

    def test_values_have_the_valid_type(self):
        namespace = inputs(cell=space(valid_type=(int, str)))
        assert prepared(namespace, {"cell": {"a": 1, "b": "x"}}) == {"cell": {"a": 1, "b": "x"}}
        assert complaints(namespace, {"cell": {"a": 1.0}}) == ["inputs.cell.a: expected int or str, got float 1.0"]

    def test_a_mapping_of_the_valid_type_is_a_namespace_within(self):
        namespace = inputs(cell=space(valid_type=int))
        kept = prepared(namespace, {"cell": {"a": {"b": {"c": 1}}}})
        assert kept == {"cell": {"a": {"b": {"c": 1}}}}
        assert type(kept.cell.a.b) is FrozenAttributes
        assert complaints(namespace, {"cell": {"a": {"b": {"c": "x"}}}}) == [
            "inputs.cell.a.b.c: expected int, got str 'x'"
        ]

    def test_a_mapping_may_be_the_valid_type(self):
        value = {"x": "y"}
        kept = prepared(inputs(cell=space(valid_type=dict)), {"cell": {"a": value}})
        assert kept.cell["a"] is value

    def test_declared_ports_keep_their_own_type(self):
        namespace = inputs(cell=space(valid_type=int, ports={"name": {"valid_type": str}}))
        assert complaints(namespace, {"cell": {"name": 1, "a": "x"}}) == [
            "inputs.cell.name: expected str, got int 1",
            "inputs.cell.a: expected int, got str 'x'",
        ]


class TestOneValue:
    @pytest.fixture
    def outputs(self):
        namespace = PortNamespace("outputs")
        namespace["energy"] = OutputPort("energy", valid_type=float)
        namespace["cell"] = space(ports={"volume": {"valid_type": float}})
        namespace["more"] = space("more", valid_type=int)
        return namespace

    def test_a_declared_one_is_judged_by_its_port(self, outputs):
        assert outputs.check_at("energy", 1.0) == ([], False)
        assert outputs.check_at("cell.volume", 1.0) == ([], False)
        assert outputs.check_at("cell.volume", "x") == (
            [Issue("expected float, got str 'x'", "outputs.cell.volume")],
            False,
        )

    def test_a_whole_namespace_is_judged_by_all_its_ports(self, outputs):
        assert outputs.check_at("cell", {"volume": 1.0}) == ([], False)
        assert [issue.port for issue in outputs.check_at("cell", {"mass": 1.0})[0]] == [
            "outputs.cell.volume",
            "outputs.cell.mass",
        ]

    def test_one_that_is_not_declared_is_judged_by_its_dynamic_namespace(self, outputs):
        assert outputs.check_at("more.a", 1) == ([], True)
        assert outputs.check_at("more.a.b", 1) == ([], True)
        assert outputs.check_at("more.a.b", "x") == ([Issue("expected int, got str 'x'", "outputs.more.a.b")], True)

    def test_one_that_nobody_takes_is_refused(self, outputs):
        assert outputs.check_at("cell.volum", 1) == (
            [Issue("unknown output; did you mean 'volume'?", "outputs.cell.volum")],
            True,
        )

    def test_there_is_nothing_within_a_port(self, outputs):
        assert outputs.check_at("energy.x", 1) == (
            [Issue("is a port, not a namespace: it has no 'x' within", "outputs.energy")],
            False,
        )


class TestChangedDeclarations:
    """A namespace that has judged values judges the next by what is declared then."""

    @pytest.fixture
    def namespace(self):
        namespace = inputs(
            a={"valid_type": int, "default": 1}, cell=space(ports={"b": {"valid_type": int, "default": 2}})
        )
        assert prepared(namespace, {}) == {"a": 1, "cell": {"b": 2}}
        return namespace

    def test_a_default(self, namespace):
        namespace["cell"]["b"].default = 3
        assert prepared(namespace, {}) == {"a": 1, "cell": {"b": 3}}

    def test_a_default_that_does_not_fit(self, namespace):
        namespace["cell"]["b"].default = "x"
        assert complaints(namespace, {}) == ["inputs.cell.b: expected int, got str 'x'"]

    def test_a_valid_type(self, namespace):
        namespace["a"].valid_type = str
        assert complaints(namespace, {}) == ["inputs.a: expected str, got int 1"]

    def test_a_validator(self, namespace):
        namespace["cell"]["b"].validator = lambda value: "no"
        assert complaints(namespace, {}) == ["inputs.cell.b: no"]

    def test_whether_it_is_required(self, namespace):
        namespace["a"].default, namespace["a"].required = UNSPECIFIED, True
        assert complaints(namespace, {}) == ["inputs.a: required, but not given (int)"]
        namespace["a"].required = False
        assert prepared(namespace, {}) == {"cell": {"b": 2}}

    def test_a_new_port(self, namespace):
        port = InputPort("c", default=4)
        assert prepared(namespace, {}).cell == {"b": 2}
        namespace["cell"]["c"] = port
        assert prepared(namespace, {}).cell == {"b": 2, "c": 4}

    def test_a_port_taken_out(self, namespace):
        del namespace["cell"]["b"]
        assert prepared(namespace, {}).cell == {}

    def test_whether_it_is_dynamic(self, namespace):
        namespace["cell"].dynamic = True
        assert prepared(namespace, {"cell": {"x": 1}}).cell == {"b": 2, "x": 1}

    def test_whether_it_is_populated(self, namespace):
        namespace["cell"].populate_defaults = False
        assert prepared(namespace, {}) == {"a": 1}


class TestOwnKinds:
    def test_the_verdict_of_a_port_class_of_ones_own_counts(self):
        class Even(InputPort):
            def validate(self, value, path=()):
                return super().validate(value, path) or (
                    Issue("odd", self.name) if value is UNSPECIFIED or value % 2 else None
                )

        namespace = inputs(a=Even("a", valid_type=int, required=False))
        assert complaints(namespace, {"a": 3}) == ["a: odd"]
        assert complaints(namespace, {}) == ["a: odd"]
        assert prepared(namespace, {"a": 2}) == {"a": 2}

    def test_what_a_port_class_of_ones_own_keeps_is_kept(self):
        class Stripped(InputPort):
            def admit(self, value, path, review):
                return super().admit(value, path, review).strip()

        assert prepared(inputs(a=Stripped("a", default=" x ")), {}) == {"a": "x"}
        assert prepared(inputs(a=Stripped("a")), {"a": " y "}) == {"a": "y"}

    def test_what_a_namespace_class_of_ones_own_keeps_is_kept(self):
        class Counted(PortNamespace):
            def admit(self, value, path, review):
                kept = super().admit(value, path, review)
                return FrozenAttributes(kept, size=len(kept))

        assert prepared(inputs(cell=Counted("cell")), {}) == {"cell": {"size": 0}}


class TestRestoring:
    def test_namespaces_are_read_only_again_and_values_as_they_were(self):
        namespace = inputs(a={"valid_type": int}, cell=space(valid_type=int, ports={"b": {"valid_type": dict}}))
        value = {"x": 1}
        saved = {"a": "not judged", "cell": {"b": value, "c": {"d": 1}}, "unknown": {"e": 1}}
        kept = namespace.restore(saved)
        assert kept == saved
        assert type(kept) is type(kept.cell) is type(kept.cell.c) is FrozenAttributes
        assert kept.cell.b is value
        assert type(kept.unknown) is dict

    def test_what_was_saved_before_its_port_became_a_namespace_is_given_back(self):
        assert inputs(cell=space()).restore({"cell": 1}) == {"cell": 1}

    def test_what_was_absent_stays_absent(self):
        assert inputs(a={"default": 1}).restore({}) == {}


def test_projecting_leaves_out_what_is_not_declared():
    namespace = inputs(a={}, cell=space(ports={"b": {}}))
    assert namespace.project({"a": 1, "x": 2, "cell": {"b": 3, "y": 4}}) == {"a": 1, "cell": {"b": 3}}
    assert namespace.project({"cell": 5}) == {"cell": 5}


# --- for any namespace -----------------------------------------------------------------------------------------

KINDS = {int: st.integers(), str: st.text(max_size=3), None: st.none() | st.integers()}


@st.composite
def ports(draw, name, depth):
    if depth and draw(st.booleans()):
        return draw(spaces(name, depth - 1))
    kind = draw(st.sampled_from(list(KINDS)))
    options = {"valid_type": kind, "required": draw(st.booleans())}
    match draw(st.sampled_from(["none", "plain", "lazy"])):
        case "plain":
            options["default"] = draw(KINDS[kind])
        case "lazy":
            value = draw(KINDS[kind])
            options["default"] = lambda: value
    return InputPort(name, **options)


@st.composite
def spaces(draw, name="inputs", depth=3):
    namespace = PortNamespace(name, required=draw(st.booleans()), populate_defaults=draw(st.integers(0, 3)) > 0)
    if draw(st.integers(0, 3)) == 0:
        namespace.valid_type = int
    for child in draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=4)):
        namespace[child] = draw(ports(child, depth))
    return namespace


def values(namespace):
    """Strategy of values that may fit a namespace, or nearly."""
    of_each = {
        name: values(port) if isinstance(port, PortNamespace) else KINDS[port.valid_type] | st.integers()
        for name, port in namespace.items()
    }
    extras = st.dictionaries(st.sampled_from("abcdxy"), st.integers(), max_size=1)
    return st.builds(lambda some, extra: {**extra, **some}, st.fixed_dictionaries({}, optional=of_each), extras)


@st.composite
def cases(draw):
    namespace = draw(spaces())
    return namespace, draw(values(namespace))


def plainly(port, value, path=()):
    """The paths of what is wrong with a value, the slow and simple way."""
    here = (*path, port.name)
    if not isinstance(port, PortNamespace):
        fits = isinstance(value, port.valid_type or object) if value is not UNSPECIFIED else not port.required
        return set() if fits else {".".join(here)}
    value = {} if value is UNSPECIFIED else value
    if not isinstance(value, dict):
        return {".".join(here)}
    if not value and not port.required:
        return set()
    extras = {name for name in value.keys() - port.keys() if not port.dynamic or not isinstance(value[name], int)}
    within = (plainly(port[name], value.get(name, UNSPECIFIED), here) for name in port)
    return set().union({".".join((*here, name)) for name in extras}, *within)


@pytest.mark.untraced
@given(cases())
def test_the_walk_finds_what_a_simple_one_finds(case):
    namespace, given = case
    assert {issue.port for issue in namespace.check(given)} == plainly(namespace, given)


@pytest.mark.untraced
@given(cases())
def test_preparing_what_is_prepared_changes_nothing(case):
    namespace, given = case
    kept, issues = namespace.prepare(given)
    if not issues:
        assert namespace.prepare(kept) == (kept, [])
        assert namespace.check(kept) == []


@pytest.mark.untraced
@given(cases())
def test_preparing_keeps_all_that_was_given(case):
    namespace, given = case
    kept, _ = namespace.prepare(given)
    contains(kept, given)
    assert namespace.restore(kept) == kept


def contains(kept, given):
    for name, value in given.items():
        if isinstance(value, dict):
            contains(kept[name], value)
        else:
            assert kept[name] == value
