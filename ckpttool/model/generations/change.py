"""What turns the arguments of one class of old Keras into those of Keras 3: a new class name, renames, a function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ckpttool.model.generations.values import Config


def same(config: Config) -> Config:
    """The arguments as they are."""
    return config


@dataclass(frozen=True, slots=True)
class Change:
    """The class of today (empty: the same), the arguments with other names, those without a meaning today, and what
    renames cannot do, which is done last.

    `dropped` gives for an argument the values that say nothing: it is left out where it has one of them, and kept
    where it has another, for the reader to see that something of the layer is lost. `...` stands for any value.
    """

    class_name: str = ""
    renames: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    finish: Callable[[Config], Config] = same

    def of(self, config: Mapping[str, Any]) -> Config:
        """The arguments of today for those of old."""
        kept = {key: value for key, value in config.items() if not self._says_nothing(key, value)}
        return self.finish({self.renames.get(key, key): value for key, value in kept.items()})

    def _says_nothing(self, key: str, value: Any) -> bool:
        empty = self.dropped.get(key, ())
        return ... in empty or any(value is item or (value == item and type(value) is type(item)) for item in empty)
