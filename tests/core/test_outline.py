import functools
import json

import pytest

from drupe.core.outline import If, Return, While, if_, outline, return_, while_
from drupe.core.sketch import describe, lines
from drupe.errors import OutlineError


class Chain:
    def first(self):
        """Do the
        first thing."""

    def second(self): ...

    def more(self):
        return True

    def less(self):
        return False

    def needs_an_argument(self, value): ...

    def generator(self):
        yield

    async def async_generator(self):
        yield

    async def async_more(self):
        return True

    @classmethod
    def of_the_class(cls): ...


class AsyncCallable:
    __name__ = "asker"

    async def __call__(self, chain):
        return True


class Callable:
    def __call__(self, chain):
        return True


def test_an_outline_keeps_its_items_in_order():
    made = outline(Chain.first, if_(Chain.more)(Chain.second), while_(Chain.less)(Chain.first), return_)
    step, branch, loop, end = made.body
    assert step.function is Chain.first
    assert isinstance(branch, If)
    assert isinstance(loop, While)
    assert end is return_


def test_an_async_step_and_a_callable_object_are_steps_too():
    made = outline(Chain.async_more, Callable(), functools.partial(Chain.first), max)
    assert len(made.body) == 4


def test_every_part_of_a_branch_makes_a_new_value_and_changes_none():
    short = if_(Chain.more)(Chain.first)
    long = short.elif_(Chain.less)(Chain.second)
    closed = long.else_(Chain.second)
    assert (len(short.arms), len(long.arms), len(closed.arms)) == (1, 2, 2)
    assert long.otherwise == ()
    assert len(closed.otherwise) == 1
    with pytest.raises(AttributeError):
        short.arms = ()


def test_a_return_without_a_value_returns_none_and_so_does_one_with_none():
    assert return_.value is None
    assert return_(None).value is None
    assert return_(7).value == 7
    assert isinstance(return_(7), Return)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (outline, "outline() has no steps"),
        (if_(Chain.more), "if_(more)() has no steps"),
        (while_(Chain.more), "while_(more)() has no steps"),
        (if_(Chain.more)(Chain.first).elif_(Chain.less), "elif_(less)() has no steps"),
        (lambda: if_(Chain.more)(Chain.first).else_(), "if_(more)(…).else_() has no steps"),
        (lambda: outline(Chain.first, "second"), "outline, item 2: 'second' is no step"),
        (lambda: outline(None), "item 1: None is no step"),
        (lambda: outline([Chain.first]), "a list is no step; put a star"),
        (lambda: if_(Chain.more)((Chain.first,)), "if_(more), item 1: a tuple is no step"),
        (lambda: outline(Chain), "is no step"),
        (lambda: outline(if_(Chain.more)), "if_(more) has no body; write if_(more)(step, …)"),
        (lambda: outline(while_(Chain.more)), "while_(more) has no body"),
        (lambda: outline(if_(Chain.more)(Chain.first).elif_(Chain.less)), "elif_(less) has no body"),
        (lambda: outline(if_), "if_ has no predicate"),
        (lambda: outline(while_), "while_ has no predicate"),
        (lambda: outline(Chain.needs_an_argument), "step needs_an_argument cannot be called with the work chain as"),
        (lambda: outline(Chain.of_the_class), "step of_the_class cannot be called"),
        (lambda: outline(Chain().first), "step first cannot be called"),
        (lambda: outline(Chain.generator), "step generator yields"),
        (lambda: outline(Chain.async_generator), "step async_generator yields"),
        (lambda: if_(True), "if_: True is no predicate"),
        (lambda: if_(Chain.needs_an_argument), "if_: predicate needs_an_argument cannot be called"),
        (lambda: if_(Chain.async_more), "if_: predicate async_more is async"),
        (lambda: while_(Chain.async_more), "while_: predicate async_more is async"),
        (lambda: while_(functools.partial(Chain.async_more)), "is async"),
        (lambda: while_(Chain.generator), "while_: predicate generator is async or yields"),
        (lambda: while_(AsyncCallable()), "predicate asker is async"),
        (lambda: while_(if_(Chain.more)), "while_: if_(more) is no predicate"),
        (lambda: outline(lambda chain: None, if_(Chain.more)(Chain.first).elif_(3)), "elif_: 3 is no predicate"),
        (lambda: if_(Chain.more)(Chain.first).else_(Chain.first).elif_(Chain.less), "elif_(less): elif_ after else_"),
        (lambda: if_(Chain.more)(Chain.first).else_(Chain.first).else_(Chain.second), "a second else_"),
        (lambda: return_(1)(2), "return_(1)(2): return_ takes one value"),
    ],
)
def test_what_is_written_wrongly_is_refused_where_it_is_written_and_named(write, said):
    with pytest.raises(OutlineError) as refused:
        write()
    assert said in str(refused.value)


def test_a_plain_callable_object_may_be_a_predicate():
    assert if_(Callable())(Chain.first).arms[0].name == "Callable"


def written():
    return outline(
        Chain.first,
        if_(Chain.more)(Chain.second, while_(Chain.less)(Chain.first))
        .elif_(Chain.less)(return_(3))
        .else_(Chain.second),
        return_,
    )


def test_a_description_is_plain_data():
    found = describe(written())
    assert found == [
        "first(Do the first thing.)",
        {
            "if(more)": ["second", {"while(less)": ["first(Do the first thing.)"]}],
            "elif(less)": ["Return from the outline immediately"],
            "else": ["second"],
        },
        "Return from the outline immediately",
    ]
    assert json.loads(json.dumps(found)) == found


def test_the_description_of_one_item_is_that_item():
    assert describe(outline(Chain.second)) == "second"


def test_a_description_loses_no_arm_whose_predicate_has_the_name_of_another():
    arms = if_(Chain.more)(Chain.first).elif_(lambda chain: True)(Chain.first).elif_(lambda chain: False)(Chain.second)
    assert list(describe(outline(arms))) == ["if(more)", "elif(<lambda>)", "elif(<lambda>)'"]


def test_an_outline_reads_as_indented_lines():
    assert lines(written()) == [
        "first",
        "if(more):",
        "    second",
        "    while(less):",
        "        first",
        "elif(less):",
        "    return_(3)",
        "else:",
        "    second",
        "return_",
    ]


def test_the_parts_of_an_outline_show_how_they_were_written():
    assert repr(written()) == "outline(first, if_(more)(…).elif_(less)(…).else_(…), return_)"
    assert repr(outline(while_(Chain.more)(return_(3)))) == "outline(while_(more)(…))"


def test_an_outline_may_be_nested_deeper_than_python_recurses():
    inner = Chain.second
    for _ in range(3000):
        inner = if_(Chain.more)(while_(Chain.less)(inner))
    deep = outline(inner)
    assert len(lines(deep)) == 6001
    found = describe(deep)
    for _ in range(3000):
        found = found["if(more)"][0]["while(less)"][0]
    assert found == "second"
    assert repr(deep) == "outline(if_(more)(…))"
