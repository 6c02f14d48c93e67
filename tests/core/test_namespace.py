"""Ports that hold ports: the declaring half. What they do with values is in test_validate."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.namespace import PortNamespace
from drupe.core.port import InputPort, OutputPort, Port
from drupe.errors import SpecError

NAMES = st.sampled_from("abcdef")
TREES = st.recursive(
    st.sampled_from([int, str, None]), lambda tree: st.dictionaries(NAMES, tree, max_size=4), max_leaves=12
)
SPACES = st.dictionaries(NAMES, TREES, max_size=4)
"""Namespaces: by name a valid type, or a namespace within."""


def nested(tree, name=""):
    """The namespace of a tree, put together from within."""
    namespace = PortNamespace(name)
    for child, what in tree.items():
        namespace[child] = nested(what, child) if isinstance(what, dict) else InputPort(child, valid_type=what)
    return namespace


def dotted(tree, prefix=()):
    """The dotted names of a tree, with the valid types of ports and None for namespaces."""
    for child, what in tree.items():
        path = (*prefix, child)
        yield ".".join(path), what
        if isinstance(what, dict):
            yield from dotted(what, path)


@pytest.fixture
def namespace():
    return nested({"a": int, "cell": {"volume": float, "sites": {"first": str, "second": str}}}, "inputs")


class TestMapping:
    def test_ports_are_kept_by_name_in_order(self, namespace):
        assert list(namespace) == ["a", "cell"]
        assert len(namespace) == 2
        assert namespace["a"].valid_type is int

    def test_a_port_can_be_taken_out(self, namespace):
        del namespace["a"]
        assert "a" not in namespace

    def test_only_a_port_can_be_put_in(self, namespace):
        with pytest.raises(TypeError, match="'b': only a port can be put into a namespace, not 3"):
            namespace["b"] = 3

    def test_the_repr_has_its_names(self):
        assert repr(nested({"a": int, "b": str}, "inputs")) == "<PortNamespace inputs: a, b>"
        assert repr(PortNamespace("inputs", dynamic=True)) == "<PortNamespace inputs: …>"


class TestDynamic:
    def test_it_is_not_dynamic_unless_said_so(self):
        assert not PortNamespace().dynamic
        assert PortNamespace(dynamic=True).dynamic

    def test_a_valid_type_makes_it_dynamic(self):
        assert PortNamespace(valid_type=int).dynamic
        namespace = PortNamespace()
        namespace.valid_type = int
        assert namespace.dynamic

    def test_it_can_be_set_back(self):
        namespace = PortNamespace(valid_type=int)
        namespace.dynamic = False
        assert not namespace.dynamic
        namespace.valid_type = None
        assert not namespace.dynamic


class TestDottedNames:
    def test_a_port_is_found_by_its_dotted_name(self, namespace):
        assert namespace.get_port("cell.volume").valid_type is float
        assert namespace.get_port("cell.sites") is namespace["cell"]["sites"]

    def test_a_missing_port_is_named_with_what_may_have_been_meant(self, namespace):
        with pytest.raises(ValueError, match=r"no port 'volum' in namespace 'cell'; did you mean 'volume'\?"):
            namespace.get_port("cell.volum")

    def test_there_is_nothing_within_a_port(self, namespace):
        with pytest.raises(SpecError, match="'a' in namespace 'inputs' is a port, not a namespace"):
            namespace.get_port("a.b")

    @pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", 3, None])
    def test_what_is_no_name_is_refused(self, namespace, name):
        for method in (namespace.get_port, namespace.create_port_namespace):
            with pytest.raises(SpecError, match="a port is named by text"):
                method(name)

    def test_namespaces_on_the_way_are_made_without_options(self):
        root = PortNamespace()
        last = root.create_port_namespace("a.b.c", dynamic=True, help="Why.")
        assert last is root["a"]["b"]["c"]
        assert (last.name, last.dynamic, last.help) == ("c", True, "Why.")
        assert not root["a"].dynamic
        assert root["a"]["b"].help is None

    def test_a_namespace_that_is_there_stays(self, namespace):
        cell = namespace["cell"]
        assert namespace.create_port_namespace("cell") is cell
        assert list(cell) == ["volume", "sites"]

    def test_a_port_in_the_way_is_an_error(self, namespace):
        for name in ("a", "a.b"):
            with pytest.raises(SpecError, match="'a' in namespace 'inputs' is a port, not a namespace"):
                namespace.create_port_namespace(name)

    def test_namespaces_are_made_of_the_class_they_are_in_and_enter_through_setitem(self):
        entered = []

        class Noting(PortNamespace):
            def __setitem__(self, name, port):
                entered.append(name)
                super().__setitem__(name, port)

        root = Noting()
        assert type(root.create_port_namespace("a.b")) is Noting
        root.absorb(nested({"c": {"d": int}}))
        assert entered == ["a", "b", "c"]


class Lenient(PortNamespace):
    """Names are divided at slashes, a port in the way is replaced, and copies tell what they are."""

    def split(self, name):
        first, slash, rest = name.partition("/")
        return first, rest if slash else None

    def nested(self, name):
        if not isinstance(self[name], PortNamespace):
            self[name] = Lenient(name)
        return self[name]

    def emptied(self):
        twin = super().emptied()
        twin.help = "a copy"
        return twin


class Odd:
    """A choice of every other name."""

    def takes(self, name):
        return name in "ace"

    def within(self, name):
        return self


class TestOtherRules:
    def test_a_kind_of_namespace_may_have_other_names(self):
        namespace = Lenient("top")
        namespace.create_port_namespace("a/b.c/d")
        assert namespace.get_port("a/b.c/d").name == "d"
        assert list(namespace["a"]) == ["b.c"]

    def test_it_may_allow_what_is_refused(self):
        namespace = Lenient("top")
        namespace["a"] = InputPort("a")
        assert namespace.create_port_namespace("a/b") is namespace["a"]["b"]

    def test_it_may_choose_and_copy_otherwise(self):
        source, target = Lenient("source"), Lenient("target")
        source["a"] = Lenient("a")
        source["a"]["b"], source["a"]["c"], source["d"] = InputPort("b"), InputPort("c"), InputPort("d")
        assert target.absorb_ports(source, Odd()) == ["a"]
        assert (list(target["a"]), target["a"].help, source["a"].help) == (["c"], "a copy", None)


class TestAbsorbing:
    def test_ports_and_options_are_taken_over(self, namespace):
        source = nested({"b": int, "d": {"e": int}})
        source.help, source.dynamic, source.required = "Why.", True, False
        assert namespace.absorb(source) == ["b", "d"]
        assert list(namespace) == ["a", "cell", "b", "d"]
        assert (namespace.help, namespace.dynamic, namespace.required) == ("Why.", True, False)

    def test_ports_of_the_same_name_are_replaced(self, namespace):
        namespace.absorb(nested({"a": str, "cell": {"mass": float}}))
        assert namespace["a"].valid_type is str
        assert list(namespace["cell"]) == ["mass"]

    def test_the_options_of_nested_namespaces_and_their_class_stay(self):
        class Own(PortNamespace):
            pass

        source = PortNamespace()
        source["a"] = Own("a", help="Why.", valid_type=int, populate_defaults=False)
        target = PortNamespace()
        target.absorb(source)
        taken = target["a"]
        assert type(taken) is Own
        assert (taken.help, taken.valid_type, taken.dynamic, taken.populate_defaults) == ("Why.", int, True, False)

    def test_options_given_go_first(self):
        target = PortNamespace("t")
        target.absorb(PortNamespace(help="old", required=True), namespace_options={"help": "new", "required": False})
        assert (target.name, target.help, target.required) == ("t", "new", False)

    def test_a_type_given_makes_it_dynamic_unless_said_otherwise(self):
        target = PortNamespace()
        target.absorb(PortNamespace(), namespace_options={"valid_type": int})
        assert target.dynamic
        target.absorb(PortNamespace(), namespace_options={"dynamic": False, "valid_type": int})
        assert not target.dynamic

    def test_the_options_given_are_left_as_they_were(self):
        options = {"help": "new"}
        PortNamespace().absorb(PortNamespace(), namespace_options=options)
        assert options == {"help": "new"}

    def test_an_unknown_option_changes_nothing(self, namespace):
        with pytest.raises(SpecError, match=r"'requird' is no option of a namespace; did you mean 'required'\?"):
            namespace.absorb(nested({"b": int}), namespace_options={"requird": False})
        assert list(namespace) == ["a", "cell"]

    def test_excluded_names_are_left_out_at_any_depth(self, namespace):
        target = PortNamespace()
        assert target.absorb(namespace, exclude=["a", "cell.sites.first"]) == ["cell"]
        assert list(target["cell"]) == ["volume", "sites"]
        assert list(target["cell"]["sites"]) == ["second"]

    def test_only_included_names_are_taken_at_any_depth(self, namespace):
        target = PortNamespace()
        assert target.absorb(namespace, include=["cell.sites.first"]) == ["cell"]
        assert list(target["cell"]) == ["sites"]
        assert list(target["cell"]["sites"]) == ["first"]

    def test_an_included_namespace_is_taken_whole(self, namespace):
        target = PortNamespace()
        target.absorb(namespace, include=["cell"])
        assert list(dotted_names(target)) == [
            "cell",
            "cell.volume",
            "cell.sites",
            "cell.sites.first",
            "cell.sites.second",
        ]

    def test_exclude_and_include_exclude_each_other(self, namespace):
        with pytest.raises(SpecError, match="not both"):
            PortNamespace().absorb(namespace, exclude=["a"], include=[])

    @given(SPACES)
    def test_what_is_absorbed_is_equal_and_independent(self, tree):
        source = nested(tree, "x")
        before = source.get_description()
        target = PortNamespace("x")
        target.absorb(source)
        assert target.get_description() == before
        shake(target)
        assert source.get_description() == before

    @given(SPACES, st.data())
    def test_leaving_names_out_is_taking_all_but_them(self, tree, data):
        names = [name for name, _ in dotted(tree)]
        chosen = data.draw(st.sets(st.sampled_from(names))) if names else set()
        target = PortNamespace()
        target.absorb(nested(tree), exclude=chosen)
        assert list(dotted_names(target)) == [
            name for name in names if not any(name == rule or name.startswith(f"{rule}.") for rule in chosen)
        ]

    @given(SPACES, st.data())
    def test_naming_names_takes_them_what_is_in_them_and_what_they_are_in(self, tree, data):
        names = [name for name, _ in dotted(tree)]
        chosen = data.draw(st.sets(st.sampled_from(names))) if names else set()
        target = PortNamespace()
        target.absorb(nested(tree), include=chosen)
        assert list(dotted_names(target)) == [
            name
            for name in names
            if any(f"{rule}.".startswith(f"{name}.") or name.startswith(f"{rule}.") for rule in chosen)
        ]


class TestDescribing:
    def test_a_description_nests(self, namespace):
        description = namespace.get_description()
        assert description["ports"]["cell"]["ports"]["volume"]["valid_type"] == "float"
        assert not description["dynamic"]
        json.dumps(description)


@given(SPACES)
def test_dotted_names_declare_the_same_as_nested_namespaces(tree):
    by_name = PortNamespace()
    for name, what in dotted(tree):
        *parents, last = name.split(".")
        parent = by_name.create_port_namespace(".".join(parents)) if parents else by_name
        if isinstance(what, dict):
            parent.create_port_namespace(last)
        else:
            parent[last] = InputPort(last, valid_type=what)
    assert by_name.get_description() == nested(tree).get_description()


@given(SPACES)
def test_a_deep_copy_is_equal_and_independent(tree):
    source = nested(tree)
    before = source.get_description()
    source.prepare({})
    shake(copy.deepcopy(source))
    assert source.get_description() == before


def dotted_names(namespace, prefix=()):
    for name, port in namespace.items():
        yield ".".join((*prefix, name))
        if isinstance(port, PortNamespace):
            yield from dotted_names(port, (*prefix, name))


def shake(namespace):
    """Change all about a namespace that can be changed."""
    for port in namespace.values():
        if isinstance(port, PortNamespace):
            shake(port)
        port.help, port.required, port.valid_type, port.default = "changed", not port.required, bytes, b"changed"
    namespace["new"] = Port("new")
    namespace["out"] = OutputPort("out")
