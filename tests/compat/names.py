"""Every public name of a package with where it lives and what it takes.

A program: ``python names.py PACKAGE`` prints {module: {name: facts}} as JSON.
"""

import importlib
import inspect
import json
import pkgutil
import sys

CONSTANTS = (str, bytes, int, float, tuple, list, dict)
PACKAGE = sys.argv[1]


def parameters(thing):
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return None
    return [[name, str(each.kind)] for name, each in signature.parameters.items()]


def facts(thing):
    """What one relies on; ``None`` for what is only used inside."""
    if isinstance(thing, bool):
        return None
    if isinstance(thing, type) and thing.__module__.startswith(PACKAGE):
        if thing.__module__ == PACKAGE or issubclass(thing, tuple):  # logging's, and a tuple with named places
            return {"module": thing.__module__}
        methods = {
            name: parameters(getattr(thing, name))
            for name in dir(thing)
            if not name.startswith("_") and callable(getattr(thing, name))
        }
        takes = None if issubclass(thing, Exception) else parameters(thing)
        return {
            "module": thing.__module__,
            "bases": [base.__name__ for base in thing.__mro__],
            "takes": takes,
            **methods,
        }
    if inspect.isfunction(thing) and thing.__module__.startswith(PACKAGE):
        return {"module": thing.__module__, "takes": parameters(thing)}
    if isinstance(thing, CONSTANTS) and not isinstance(thing, type):
        return {"value": sorted(thing, key=repr) if isinstance(thing, tuple | list) else repr(thing)}
    return None


def main():
    names = {}
    package = importlib.import_module(PACKAGE)
    found = [PACKAGE, *(each.name for each in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."))]
    for module in found:
        content = vars(importlib.import_module(module))
        public = {name: facts(thing) for name, thing in content.items() if name == "__all__" or name[0] != "_"}
        names[module] = {name: each for name, each in public.items() if each is not None}
    print(json.dumps(names))


main()
