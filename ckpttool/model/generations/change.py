"""The change of one class from old Keras to Keras 3: a new class name, renamed and dropped arguments, a function."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.model.generations.values import Config

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def same(config: Config) -> Config:
    """The arguments, unchanged."""
    return config


class Change(NamedTuple):
    """The class name in Keras 3 (empty: the same), the renamed arguments, the dropped arguments, and a function for all
    other changes, which is applied last.

    `dropped` has for an argument the values without a meaning in Keras 3: the argument is left out where it has one of
    them, and stays where it has another, so that a reader sees what would be lost. `...` stands for any value.
    """

    class_name: str = ""
    renames: Mapping[str, str] = _NOTHING
    dropped: Mapping[str, tuple[Any, ...]] = _NOTHING
    finish: Callable[[Config], Config] = same

    def of(self, config: Mapping[str, Any]) -> Config:
        """The arguments for Keras 3."""
        rest = {key: value for key, value in config.items() if not self._is_dropped(key, value)}
        return self.finish({self.renames.get(key, key): value for key, value in rest.items()})

    def _is_dropped(self, key: str, value: Any) -> bool:
        values = self.dropped.get(key, ())
        return ... in values or any(value is item or (value == item and type(value) is type(item)) for item in values)
