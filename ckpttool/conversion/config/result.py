"""The result of rewriting a config for Keras 3: the new config, new labels of weights, and changes of their values."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ckpttool.conversion.config.hard_sigmoid import ScaledWeights
from ckpttool.conversion.weights.transforms import Arrangement
from ckpttool.paths import join_path


class Unfilled(NamedTuple):
    """A layer with code in the old file, for which the user passed no function: its label, name and old class, the
    formula of the code, where it is plain arithmetic, and its signature with the names that it uses, where that can be
    read. `masks` says that the code is that of its mask, for which Keras 3 takes no function from a config."""

    label: str
    name: str
    class_name: str
    computes: str | None = None
    signature: str | None = None
    masks: bool = False


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A config in the form of Keras 3, and the changes of its weights.

    All keys are labels in the old model. `labels` and `weights` map layers and weights to their new labels, where these
    differ; `scaled` has the weights of layers to be multiplied, `arrangements` those whose values change their places.
    `without_function` are the layers that lack their function, so that Keras cannot build the config. `holders` are the
    layers of own classes with other layers in their configs. `unlike_layers` are those whose configs lack an argument
    that Keras 2 writes for every layer, as those of models of own classes do. `other_loss` says how the loss of a
    masked output differs in Keras 3, if it does.
    """

    config: Mapping[str, Any]
    labels: Mapping[str, str]
    weights: Mapping[str, str]
    scaled: Mapping[str, ScaledWeights]
    arrangements: Mapping[str, Arrangement]
    without_function: tuple[Unfilled, ...] = ()
    holders: frozenset[str] = frozenset()
    unlike_layers: frozenset[str] = frozenset()
    other_loss: str = ""

    def label(self, layer: str, name: str) -> str:
        """The new label of the weight `name` in `layer`, or of the layer itself for an empty name."""
        whole = join_path(layer, name)
        new_label = self.weights.get(whole)
        if new_label is not None:
            return new_label
        place = _innermost(layer, self.labels)
        return self.labels[place] + whole[len(place) :] if place else whole

    def scaled_at(self, label: str) -> ScaledWeights | None:
        """The weights to be multiplied in the layer of the weight of this label, None where there are none."""
        return self.scaled.get(_innermost(label, self.scaled))

    def unscaled(self, labels: Iterable[str]) -> set[str]:
        """The layers whose weights are to be multiplied, and that have none of the weights of these labels."""
        return self.scaled.keys() - {_innermost(label, self.scaled) for label in labels}


def _innermost(label: str, known: Container[str]) -> str:
    """The longest beginning of a label, by whole names, that is known; empty where none is."""
    while label and label not in known:
        label = label.rpartition("/")[0]
    return label
