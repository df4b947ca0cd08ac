"""One change between the configs of two checkpoints."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ckpttool.escape import brief


class Absent(Enum):
    """The mark in place of a value that a config does not have; null is a value."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT

ADDED, REMOVED = "layer added", "layer removed"
NAME, CLASS, TRAINABLE, DTYPE = "name", "class", "trainable", "dtype"
ARGUMENT, CONNECTION = "hyper-parameter", "connection"
COMPILE, OPTIMIZER, VERSION = "compile", "optimizer", "version"

_OPPOSITE = {ADDED: REMOVED, REMOVED: ADDED}


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One value that differs between the configs of two checkpoints.

    `layer` is the layer's chain of names in the first, `new_layer` in the second. Both are equal unless the layer, or a
    model around it, was renamed; also for a layer that one side lacks. Both are empty for the model itself and for its
    compile settings. `key` is the place inside the layer's config (`kernel_regularizer.l2`), `inbound` for the layer's
    inputs. `old` and `new` are values as JSON has them, ABSENT where there is none. An object of Keras whose arguments
    are all defaults is the name of its class.
    """

    layer: str
    key: str
    old: Any
    new: Any
    kind: str
    new_layer: str = ""

    __repr__ = brief

    def inverted(self) -> "ConfigChange":
        """The change from the second checkpoint to the first."""
        kind = _OPPOSITE.get(self.kind, self.kind)
        return replace(self, layer=self.new_layer, new_layer=self.layer, old=self.new, new=self.old, kind=kind)
