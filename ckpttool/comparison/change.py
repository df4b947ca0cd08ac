"""One change between the configs of two checkpoints."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any


class Absent(Enum):
    """What stands in place of a value that is not there, which null is not."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT

ADDED, REMOVED = "layer added", "layer removed"
NAME, CLASS, TRAINABLE, DTYPE = "name", "class", "trainable", "dtype"
ARGUMENT, CONNECTION = "hyper-parameter", "connection"
COMPILE, OPTIMIZER, VERSION = "compile", "optimizer", "version"

KINDS = (REMOVED, ADDED, NAME, CLASS, CONNECTION, ARGUMENT, DTYPE, TRAINABLE, COMPILE, OPTIMIZER, VERSION)
"""What may change, in the order in which it is told."""

_OPPOSITE = {ADDED: REMOVED, REMOVED: ADDED}


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One value that two checkpoints' configs do not have alike.

    `layer` is the layer's chain of names in the first, `new_layer` in the second: alike unless the layer, or a model
    that holds it, was renamed, and for a layer that one side lacks; empty for the model itself and for what it is
    compiled with. `key` is the place inside the layer's config (`kernel_regularizer.l2`), `inbound` for what goes into
    the layer. `old` and `new` are values as JSON has them, ABSENT where there is none; an object of Keras that is as
    its class makes it by default is the name of the class.
    """

    layer: str
    key: str
    old: Any
    new: Any
    kind: str
    new_layer: str = ""

    def inverted(self) -> "ConfigChange":
        """The change from the second checkpoint to the first."""
        kind = _OPPOSITE.get(self.kind, self.kind)
        return replace(self, layer=self.new_layer, new_layer=self.layer, old=self.new, new=self.old, kind=kind)
