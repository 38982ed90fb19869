"""One toxic a file: the module's name is the toxic's type, its one Stage subclass the behaviour."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from lab.proxy.stage import Stage


@cache
def behaviours() -> dict[str, type[Stage]]:
    """Every toxic type with its behaviour, found by looking at this folder."""
    return {module.name: _behaviour(module.name) for module in iter_modules(__path__)}


def _behaviour(name: str) -> type[Stage]:
    module = import_module(f"{__name__}.{name}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Stage) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__file__}: a toxic's file defines one Stage subclass; this one defines {len(found)}")
    return found[0]
