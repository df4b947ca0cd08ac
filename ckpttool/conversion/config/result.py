"""A model in the words of Keras 3, as a value: its config, and what became of the labels of its weights."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ckpttool.conversion.config.hard_sigmoid import Scaled
from ckpttool.conversion.weights.transforms import Arrangement
from ckpttool.paths import join_path


class Unfilled(NamedTuple):
    """A layer that ran code of the old file, for which the user gave no function: its label, name and old class, and
    what the code computes, where that is plain arithmetic."""

    label: str
    name: str
    class_name: str
    computes: str | None = None


@dataclass(slots=True)
class Rewritten:
    """A model in the words of Keras 3. `labels` are the layers that have another label now, `weights` the weights that
    have; `scaled` are those that are multiplied, `laid_out` those that lie otherwise. All are told by what they were in
    the old model. `without_function` are the layers that lack the function that they run, so that the config makes no
    model by itself. `holders` are the layers of own classes whose config holds other layers, `unlike_layers` those
    whose config lacks what Keras 2 writes of every layer, as that of a model of an own class does.
    """

    config: dict[str, Any]
    labels: Mapping[str, str]
    weights: Mapping[str, str]
    scaled: Mapping[str, Scaled]
    laid_out: Mapping[str, Arrangement]
    without_function: tuple[Unfilled, ...] = ()
    holders: Container[str] = ()
    unlike_layers: Container[str] = ()

    def label(self, layer: str, name: str) -> str:
        """The label today of a weight that was called `name` in `layer`, or of the layer itself."""
        whole = join_path(layer, name)
        found = self.weights.get(whole)
        if found is not None:
            return found
        place = _innermost(layer, self.labels)
        return self.labels[place] + whole[len(place) :] if place else whole

    def scaled_at(self, label: str) -> Scaled | None:
        """What is multiplied of the layer that holds the weight of this label, None where nothing is."""
        return self.scaled.get(_innermost(label, self.scaled))

    def unscaled(self, labels: Iterable[str]) -> set[str]:
        """The layers whose weights are to be multiplied, and that hold none of those of these labels."""
        return self.scaled.keys() - {_innermost(label, self.scaled) for label in labels}


def _innermost(label: str, known: Container[str]) -> str:
    """The innermost of the places that lead to a label which is known, empty where none is."""
    while label and label not in known:
        label = label.rpartition("/")[0]
    return label
