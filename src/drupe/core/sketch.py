"""An outline as people read it: lines of text, or plain data that JSON can hold.

What stands here is shown and never run or saved. Nothing here recurses.
"""

import inspect
from collections.abc import Iterator
from typing import Any, TypeAlias

from drupe.core.outline import If, Node, Outline, Return, Step, While

Description: TypeAlias = Any
"""A step is a string, a branch or loop a dict of conditions to lists, several items are a list."""

_RETURN = "Return from the outline immediately"


def describe(outline: Outline) -> Description:
    """Get the outline as plain data: ``["prepare", {"while(more)": ["work(Do the work.)"]}]``.

    An outline of one item is that item, without a list around it.
    """
    top: list[Description] = []
    todo: list[tuple[tuple[Node, ...], list[Description]]] = [(outline.body, top)]
    while todo:
        body, into = todo.pop()
        for node in body:
            if isinstance(node, Step):
                into.append(_documented(node))
            elif isinstance(node, Return):
                into.append(_RETURN)
            else:
                conditions: dict[str, list[Description]] = {}
                for head, inner in _blocks(node):
                    key = head
                    while key in conditions:  # two lambdas have one name, and neither may be lost
                        key += "'"
                    conditions[key] = []
                    todo.append((inner, conditions[key]))
                into.append(conditions)
    return top[0] if len(top) == 1 else top


def lines(outline: Outline, *, indent: str = "    ") -> list[str]:
    """Get the outline as lines of text, a block indented under its condition."""
    found: list[str] = []
    todo: list[tuple[int, Node | str]] = [(0, node) for node in reversed(outline.body)]
    while todo:
        depth, item = todo.pop()
        if isinstance(item, str | Step | Return):
            found.append(f"{indent * depth}{item}")
        else:
            for head, inner in reversed(list(_blocks(item))):
                todo.extend((depth + 1, node) for node in reversed(inner))
                todo.append((depth, f"{head}:"))
    return found


def _blocks(node: If | While) -> Iterator[tuple[str, tuple[Node, ...]]]:
    if isinstance(node, While):
        yield f"while({node.arm.name})", node.arm.body
        return
    for word, arm in zip(("if", *("elif",) * len(node.arms)), node.arms, strict=False):
        yield f"{word}({arm.name})", arm.body
    if node.otherwise:
        yield "else", node.otherwise


def _documented(step: Step) -> str:
    text = inspect.getdoc(step.function)
    return f"{step.name}({' '.join(text.split())})" if text else step.name
