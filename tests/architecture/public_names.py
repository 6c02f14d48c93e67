"""The public names of drupe: what the façade, the errors, the interfaces and the testing tools let users import.

They are pinned in public_names.txt, so that none comes or goes by accident. When one is meant to:
`python -m tests.architecture.public_names` writes the list anew, and the change is reviewed with the rest.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import Module, modules

PUBLIC = ("__init__.py", "errors.py", "interfaces/", "testing/__init__.py")
PINNED = Path(__file__).with_name("public_names.txt")


def statements(module: Module) -> Iterator[ast.stmt]:
    """The statements of a module, with those for type checkers, where names stand that are fetched when first used."""
    for node in module.tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from node.body
        else:
            yield node


def names(module: Module) -> Iterator[str]:
    """What a module makes public: what it defines without a leading underscore, and `X as X` of what it imports."""
    for node in statements(module):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found = [name]
            case ast.AnnAssign(target=ast.Name(id=name)):
                found = [name]
            case ast.Assign(targets=targets, value=value) if not ast.unparse(value).startswith(
                ("TypeVar(", "ParamSpec(")
            ):
                found = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.ImportFrom(names=aliases):
                found = [alias.name for alias in aliases if alias.asname == alias.name]
            case _:
                found = []
        yield from (name for name in found if name == "__version__" or not name.startswith("_"))


def public_names() -> list[str]:
    """All public names in full, sorted."""
    found = (
        f"{module.name}.{name}" for module in modules() if module.path.startswith(PUBLIC) for name in names(module)
    )
    return sorted(found)


if __name__ == "__main__":
    PINNED.write_text("".join(f"{name}\n" for name in public_names()), "utf-8")
