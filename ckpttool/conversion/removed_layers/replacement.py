"""The replacement of a layer that Keras 3 no longer has, as a value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.conversion.weights.transforms import Arrangement


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A layer or model that computes the same as an old layer: its class, arguments and description.

    `weights` maps the weights of the old layer to new ones, by their names below the layer. `arrangements` are those of
    weights whose values change their places. `lost` is an effect of the old layer beside its output, empty for none.
    `retained` are the regularizers and constraints of the old layer, by its names, that the new one has.
    """

    class_name: str
    config: Mapping[str, Any]
    description: str
    weights: Mapping[str, str] = field(default_factory=dict)
    arrangements: Mapping[str, Arrangement] = field(default_factory=dict)
    lost: str = ""
    retained: Collection[str] = ()

    def without_others(self, config: Mapping[str, Any]) -> "Equivalent":
        """The same, with the regularizers and constraints of the old layer, which has this config, as lost that are not
        kept."""
        others = [
            key
            for key, value in config.items()
            if key.endswith(("_regularizer", "_constraint")) and value is not None and key not in self.retained
        ]
        if not others or self.lost:
            return self
        return replace(self, lost=f"{', '.join(others)}, so that training goes another way; predictions are the same")

    def frozen(self) -> "Equivalent":
        """The same, frozen, with its layers: Keras 3 does not freeze the layers of a model whose config is frozen."""
        layers = [_frozen(entry) for entry in self.config.get("layers", ())]
        return replace(self, config={**self.config, "trainable": False, **({"layers": layers} if layers else {})})


def _frozen(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of a layer, frozen if it has weights."""
    if entry["class_name"] not in ("Dense", "EinsumDense"):
        return entry
    return {**entry, "config": {**entry["config"], "trainable": False}}
