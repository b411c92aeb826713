"""A package hands out names of its files, and imports a file when one of its names is asked for.

A program that reads a ref does not pay for what repairs a stack. Type checkers see the names as imports under
`TYPE_CHECKING`; tests/test_architecture.py holds that the table beside them says the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazily(
    package: str, files: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, of its files with the names of each.

    A file, or a folder, is an attribute as well: as if the package had imported it.
    """
    homes = {name: file for file, names in files.items() for name in names.split()}

    def get(name: str) -> object:
        file = homes.get(name, name)
        if file not in files:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=module)
        found: object = import_module(f"{package}.{file}")
        if name in homes:
            found = getattr(found, name)
            setattr(module, name, found)  # the next one who asks finds it there
        return found

    module = sys.modules[package]
    return get, lambda: sorted({*vars(module), *files, *homes}), list(homes)
