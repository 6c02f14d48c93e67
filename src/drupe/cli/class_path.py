"""``MODULE_OR_FILE:CLASS`` on the command line, as the shell completes it: by reading files, never by running them."""

import ast
from pathlib import Path

import click
from click.shell_completion import CompletionItem


class ClassPathType(click.ParamType[str]):
    """A class in a module or file; files and the classes in them are completed."""

    name = "class path"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Get the classes of a file that was written out, else folders and files."""
        file, colon, begun = incomplete.partition(":")
        if colon:
            return [CompletionItem(f"{file}:{name}") for name in classes_in(Path(file)) if name.startswith(begun)]
        path = Path(incomplete)
        folder = path if incomplete.endswith("/") or not incomplete else path.parent
        start = "" if folder == path or not incomplete else path.name
        found = sorted(each for each in folder.glob(f"{start}*") if not each.name.startswith("."))
        folders = [CompletionItem(f"{each}/") for each in found if each.is_dir()]
        return [
            CompletionItem(f"{each}:{name}") for each in found if each.suffix == ".py" for name in classes_in(each)
        ] + folders


def classes_in(file: Path) -> list[str]:
    """Get the names of the classes in a file that are derived from something; none if it cannot be read."""
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.bases]


CLASS_PATH = ClassPathType()
