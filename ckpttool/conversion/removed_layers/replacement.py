"""What takes the place of a layer that Keras 3 has no more, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.conversion.weights.transforms import Arrangement


@dataclass(frozen=True, slots=True)
class Equivalent:
    """What computes the same: a class with its arguments, what that is in words, and for each weight of the old layer
    the one that takes its place, by their names below the layer. `laid_out` are those whose values lie otherwise;
    `lost` is what the old layer did beside its output, empty where that was all."""

    class_name: str
    config: Mapping[str, Any]
    told: str
    weights: Mapping[str, str] = field(default_factory=dict)
    laid_out: Mapping[str, Arrangement] = field(default_factory=dict)
    lost: str = ""

    def frozen(self) -> "Equivalent":
        """The same with nothing to train, in its layers either: Keras 3 freezes no layer of a model that is frozen."""
        layers = [_frozen(entry) for entry in self.config.get("layers", ())]
        return replace(self, config={**self.config, "trainable": False, **({"layers": layers} if layers else {})})


def _frozen(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of a layer with nothing to train; one without weights as it is."""
    if entry["class_name"] not in ("Dense", "EinsumDense"):
        return entry
    return {**entry, "config": {**entry["config"], "trainable": False}}
