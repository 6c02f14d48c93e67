"""YAML as kiwipy's peers write and read it, parsed and written by libyaml where that is there, which takes a tenth of the time.

What a program has registered with PyYAML for its own types is honoured: the classes here look it up where it is.
"""

from typing import Any

import yaml


def _fast() -> tuple[Any, Any]:
    from yaml._yaml import CEmitter, CParser

    class Loader(CParser, yaml.FullLoader):
        def __init__(self, stream: Any) -> None:
            CParser.__init__(self, stream)
            yaml.constructor.FullConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)

    class Dumper(CEmitter, yaml.Dumper):
        def __init__(
            self, stream: Any, default_style: Any = None, default_flow_style: Any = False, **options: Any
        ) -> None:
            sort_keys = options.pop("sort_keys", True)
            CEmitter.__init__(self, stream, **options)
            yaml.representer.Representer.__init__(
                self, default_style=default_style, default_flow_style=default_flow_style, sort_keys=sort_keys
            )
            yaml.resolver.Resolver.__init__(self)

    return Loader, Dumper


LOADER, DUMPER = _fast() if yaml.__with_libyaml__ else (yaml.FullLoader, yaml.Dumper)


def encode(message: Any) -> bytes:
    """Get a message as it is sent."""
    data: bytes = yaml.dump(message, Dumper=DUMPER, encoding="utf-8")
    return data


def decode(data: bytes) -> Any:
    """Get what was sent; raises `yaml.YAMLError` for what is no YAML."""
    return yaml.load(data, Loader=LOADER)
