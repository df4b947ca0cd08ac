"""The outputs that a kind of result has: one module an output, imported when it is asked for."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any


class Outputs(Mapping[str, Callable[..., str]]):
    """The functions that make text of one kind of result, by the name of the output.

    Each is the function `function` of a module of `package` that has the name of the output: a command prints one
    output and need not wait for the others.
    """

    def __init__(self, package: str, function: str, names: str) -> None:
        self._package, self._function, self._names = package, function, names.split()

    def __getitem__(self, name: str) -> Callable[..., str]:
        if name not in self._names:
            raise KeyError(name)
        module: Any = importlib.import_module(f"{self._package}.{name}")
        show: Callable[..., str] = getattr(module, self._function)
        return show

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


__all__ = ["Outputs"]
