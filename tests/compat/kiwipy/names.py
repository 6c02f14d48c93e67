"""Every public name of kiwipy with where it lives and what it takes. A program; prints {module: {name: facts}} as JSON."""

import importlib
import inspect
import json
import pkgutil

import kiwipy

CONSTANTS = (str, bytes, int, float, tuple, list, dict)


def parameters(thing):
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return None
    return [[name, str(each.kind)] for name, each in signature.parameters.items()]


def facts(thing):
    """What one relies on; ``None`` for what is only used inside."""
    if isinstance(thing, type) and thing.__module__.startswith("kiwipy"):
        if thing.__module__ == "kiwipy" or issubclass(thing, tuple):  # logging's, and a tuple with named places
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
    if inspect.isfunction(thing) and thing.__module__.startswith("kiwipy"):
        return {"module": thing.__module__, "takes": parameters(thing)}
    if isinstance(thing, CONSTANTS) and not isinstance(thing, type):
        return {"value": sorted(thing) if isinstance(thing, tuple) else repr(thing)}
    return None


def main():
    names = {}
    found = [kiwipy.__name__, *(each.name for each in pkgutil.walk_packages(kiwipy.__path__, "kiwipy."))]
    for module in found:
        content = vars(importlib.import_module(module))
        public = {name: facts(thing) for name, thing in content.items() if name == "__all__" or name[0] != "_"}
        names[module] = {name: each for name, each in public.items() if each is not None}
    print(json.dumps(names))


main()
