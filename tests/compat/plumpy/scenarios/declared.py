"""Ports, namespaces and specifications: what is declared, what is valid, and what is said when it is not."""

import plumpy
from plumpy import AttributesDict
from plumpy.ports import UNSPECIFIED, InputPort, OutputPort, Port, PortNamespace, breadcrumbs_to_port
from plumpy.utils import AttributesFrozendict, Frozendict

from scenarios.telling import each, plain, raised, scenario


def positive(value, port):
    return None if value > 0 else f"{port.name} is not positive"


def old(value):
    return None if value else "is empty"


def wordless(value, port):
    return 3


def few(values, port):
    return "too many" if len(values) > 2 else None


PORTS = {
    "plain": (InputPort, {"name": "p"}),
    "typed": (InputPort, {"name": "p", "valid_type": int}),
    "several_types": (InputPort, {"name": "p", "valid_type": (int, str)}),
    "helped": (InputPort, {"name": "p", "help": "  what for\n"}),
    "default": (InputPort, {"name": "p", "valid_type": int, "default": 3}),
    "default_none": (InputPort, {"name": "p", "default": None}),
    "default_callable": (InputPort, {"name": "p", "default": list}),
    "default_wrong": (InputPort, {"name": "p", "valid_type": int, "default": "x"}),
    "default_invalid": (InputPort, {"name": "p", "validator": positive, "default": -1}),
    "optional": (InputPort, {"name": "p", "required": False}),
    "required_with_default": (InputPort, {"name": "p", "required": True, "default": 3}),
    "validated": (InputPort, {"name": "p", "validator": positive}),
    "validated_old": (InputPort, {"name": "p", "validator": old}),
    "validated_wordless": (InputPort, {"name": "p", "validator": wordless}),
    "output": (OutputPort, {"name": "p", "valid_type": str, "required": False}),
    "base": (Port, {"name": "p", "valid_type": int}),
    "unknown_option": (Port, {"name": "p", "default": 3}),
}


@each(**PORTS)
def a_port(kind, options):
    made = raised(lambda: kind(**options) and "made")
    yield made
    if made[0] == "returned":
        port = kind(**options)
        yield [str(port), port.get_description(), port.name, plain(port.valid_type), port.help, port.required]
        yield [raised(lambda: port.default), raised(lambda: port.has_default())]
        for value in (UNSPECIFIED, None, 0, 3, -1, "text", [], ()):
            yield [raised(port.validate, value), raised(port.validate, value, ("a", "b"))]
        port.valid_type, port.help, port.required, port.validator = str, "new", True, None
        yield [str(port), raised(port.validate, 3), raised(port.validate, "s")]


def space(**options):
    namespace = PortNamespace("top", **options)
    namespace["a"] = InputPort("a", valid_type=int)
    namespace["b"] = InputPort("b", default="x")
    namespace["c"] = InputPort("c", default=list, required=False)
    nested = namespace.create_port_namespace("n.m", help="nested", required=False)
    nested["d"] = InputPort("d", valid_type=int)
    nested["e"] = InputPort("e", default=5)
    return namespace


VALUES = {
    "nothing": {},
    "right": {"a": 1},
    "wrong": {"a": "x"},
    "other": {"a": 1, "z": 3},
    "nested": {"a": 1, "n": {"m": {"d": 2}}},
    "nested_wrong": {"a": 1, "n": {"m": {"d": "x"}}},
    "nested_other": {"a": 1, "n": {"q": {"d": 3}}},
    "nested_missing": {"a": 1, "n": {"m": {"e": 3}}},
    "no_mapping": {"a": 1, "n": 5},
    "none": {"a": 1, "n": None},
    "deep_no_mapping": {"a": 1, "n": {"m": [1]}},
    "dynamic_nested": {"a": 1, "z": {"y": 3, "x": {"w": "text"}}},
}
SPACES = {
    "plain": {},
    "dynamic": {"dynamic": True},
    "typed": {"valid_type": int},
    "optional": {"required": False},
    "validated": {"validator": few},
    "validated_old": {"validator": old},
    "validated_wordless": {"validator": wordless},
    "default": {"default": {"a": 7}},
    "unpopulated": {"populate_defaults": False},
}


@each(**{f"{name}-{values}": (SPACES[name], values) for name in SPACES for values in VALUES})
def a_namespace(options, values):
    namespace = space(**options)
    given = VALUES[values]
    yield raised(namespace.validate, given)
    yield raised(namespace.validate, given, ("up",))
    copied = {key: dict(value) if isinstance(value, dict) else value for key, value in given.items()}
    yield raised(lambda: namespace.pre_process(copied))
    yield raised(lambda: namespace.validate(namespace.pre_process(copied)))
    yield raised(namespace.project, dict(given))
    outer = PortNamespace("outer")
    outer["top"] = namespace
    yield raised(lambda: outer.pre_process({"top": copied} if given else {}))
    yield raised(outer.validate, {"top": given} if given else {})


@each(**{name: (options,) for name, options in SPACES.items()})
def what_a_namespace_is(options):
    namespace = space(**options)
    yield str(namespace) if "default" not in options else plain(namespace.get_description())
    yield [
        list(namespace),
        len(namespace),
        "a" in namespace,
        "q" in namespace,
        namespace.dynamic,
        plain(namespace.valid_type),
    ]
    yield [namespace.has_default(), plain(namespace.default), namespace.populate_defaults, namespace.required]
    namespace.valid_type = None
    yield namespace.dynamic
    namespace.valid_type = str
    yield namespace.dynamic
    namespace.dynamic = False
    yield [namespace.dynamic, plain(namespace.valid_type)]


@scenario
def names():
    namespace = space()
    for name in ("a", "n", "n.m", "n.m.d", "z", "n.z", "a.b", "", ".", "n.", 3, None):
        yield [
            raised(namespace.get_port, name),
            raised(lambda name=name: type(namespace.create_port_namespace(name)).__name__),
        ]
    yield list(namespace)
    yield raised(namespace.get_port, "a", True)
    yield raised(namespace.__setitem__, "x", 3)
    yield raised(namespace.__delitem__, "q")
    del namespace["a"]
    yield list(namespace)
    yield breadcrumbs_to_port(("a", "b"))
    yield PortNamespace.strip_namespace("base", ".", ("a", "base.b", "base.sub.c", "relax.base.d"))
    yield PortNamespace.strip_namespace("base", ".", None)


RULES = {
    "all": {},
    "exclude": {"exclude": ("b", "n")},
    "exclude_nested": {"exclude": ["n.m.d"]},
    "include": {"include": ("a",)},
    "include_nested": {"include": ("n.m.d", "b")},
    "include_space": {"include": ("n",)},
    "include_nothing": {"include": ()},
    "both": {"include": ("a",), "exclude": ("b",)},
    "text": {"include": "abc"},
    "set": {"include": {"a"}},
    "options": {"namespace_options": {"required": False, "help": "mine", "dynamic": True}},
    "unknown_option": {"namespace_options": {"nonsense": 1}},
}


@each(
    **{
        f"{name}-{options}": (RULES[name], SPACES[options])
        for name in RULES
        for options in ("plain", "typed", "default")
    }
)
def absorbing(rules, options):
    source, target = space(**options), PortNamespace("target")
    target["a"] = InputPort("a", default="mine")
    yield raised(target.absorb, source, **rules)
    yield plain(target.get_description())
    yield [target.get_port("a") is source.get_port("a"), len(source)]
    yield raised(target.absorb, {})


@each(**{f"{name}-{namespace}": (RULES[name], namespace) for name in RULES for namespace in ("none", "sub", "sub.sub")})
def exposing(rules, namespace):
    class Inner(plumpy.Process):
        @classmethod
        def define(cls, spec):
            super().define(spec)
            spec.input("a", valid_type=int)
            spec.input("b", default=2)
            spec.input("n.m.d", required=False)
            spec.input_namespace("n.free", dynamic=True)
            spec.output("a")
            spec.output("n.m.d")

    class Outer(plumpy.Process):
        @classmethod
        def define(cls, spec):
            super().define(spec)
            where = None if namespace == "none" else namespace
            rules_of = {key: dict(value) if key == "namespace_options" else value for key, value in rules.items()}
            spec.expose_inputs(Inner, namespace=where, **rules_of)
            rules_of = {key: dict(value) if key == "namespace_options" else value for key, value in rules.items()}
            spec.expose_outputs(Inner, namespace=where, **rules_of)

    described = raised(Outer.get_description)
    yield described
    if described[0] == "returned":
        spec = Outer.spec()
        for exposed in (spec._exposed_inputs, spec._exposed_outputs):
            yield [[where, plain(list(found.values()))] for where, found in exposed.items()]


@scenario
def a_specification():
    spec = plumpy.ProcessSpec()
    spec.input("a.b.c", valid_type=int)
    spec.input_namespace("free", dynamic=True)
    spec.output("x", help="an x")
    spec.output_namespace("y.z")
    yield str(spec)
    yield [spec.has_input("a"), spec.has_input("a.b"), spec.has_output("x"), spec.has_output("y")]
    yield [spec.namespace_separator, spec.sealed, list(spec.ports), spec.logger.name]
    yield raised(spec.input, "a.b.c.d")
    yield raised(spec.input, "")
    yield raised(spec.input, ".a")
    yield raised(spec.input, "typo", valid_typ=int)
    spec.seal()
    yield [spec.sealed, raised(spec.input, "late"), raised(spec.output_namespace, "late")]
    spec._ports["outputs"] = PortNamespace("outputs")
    yield len(spec.outputs)


@scenario
def mappings():
    frozen = AttributesFrozendict({"a": 1, "b": {"c": 2}})
    yield [
        frozen.a,
        frozen["a"],
        plain(frozen.b),
        dir(frozen),
        len(frozen),
        repr(frozen),
        "a" in frozen,
        frozen == {"a": 1, "b": {"c": 2}},
    ]
    yield raised(lambda: frozen.z)
    yield raised(frozen.__getitem__, "z")
    yield raised(lambda: hash(frozen))
    yield hash(Frozendict(a=1)) == hash(Frozendict({"a": 1}))
    yield plain(frozen.copy(z=3))
    yield raised(lambda: frozen.__setitem__)
    free = AttributesDict(a=1)
    free.b, free["c"] = 2, 3
    yield [
        free.a,
        free["b"],
        free.c,
        free.get("z"),
        free.get("z", 4),
        free.setdefault("a", 5),
        free.setdefault("d", 6),
        plain(free),
    ]
    yield [raised(lambda: free["z"]), raised(lambda: free.z), raised(free.__delitem__, "z")]
    del free["a"]
    yield [repr(free), free == AttributesDict(b=2, c=3, d=6)]
