"""Regularizers that Keras 1 and 2 add to the loss otherwise: those of frozen layers, and those of outputs of layers.

`Container.losses` of 1.2.2 and 2.2.4 and `Layer.losses` of tf.keras up to 2.15 have the regularizers of all weights;
`_get_regularization_losses` of keras/src/layers/layer.py, 3.15, has those of trainable weights only. The loss of a
frozen weight is a constant, so that training is the same.

Keras 3, as tf.keras, divides a regularizer of the output of a layer by the size of the batch (`Layer.__call__`, 3.15);
Keras of many backends does not (`Layer.__call__` of keras/engine/base_layer.py, 2.3.1, and of topology.py, 1.2.2;
keras/regularizers.py, 1.0.8). Measured with 2.4, 2.10 and 2.15:

- In a TimeDistributed, Keras 3 calls `call` of the layer for each step, which adds no such regularizer; layers further
  inside add theirs for each step. Older ones add both for all steps together, that of the layer twice.
- MultiHeadAttention of Keras 3 adds it for each of its four projections (`_get_common_kwargs_for_sublayer`, 3.15).
  That of tf.keras adds it for its output: its EinsumDense does nothing with the argument (2.5 to 2.15).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.journal import Journal
from ckpttool.escape import first_of
from ckpttool.model.layers.table import MODELS

ACTIVITY = "activity_regularizer"
_STEPS, _ATTENTION = "TimeDistributed", "MultiHeadAttention"
_SHOWN = 3


def note_frozen(config: Mapping[str, Any], journal: Journal) -> None:
    """Note that the loss of a compiled model is smaller by the regularizers of its frozen layers."""
    layers = _listed(each.layer for each in regularized(config) if each.frozen and each.argument != ACTIVITY)
    if layers:
        journal.lose(
            WHERE,
            f"the regularizers of frozen layers ({layers}) in the loss that is measured, which Keras 3 adds for "
            "trained weights alone; training is the same",
        )


def note_outputs(config: Mapping[str, Any], of_many_backends: bool, journal: Journal) -> None:
    """Note that the regularizers of the outputs of layers count otherwise in the loss."""
    by_place = {place: list[str]() for place in (_STEPS, _ATTENTION, "")}
    for each in regularized(config):
        if each.argument == ACTIVITY:
            by_place[each.place].append(each.layer)
    if layers := _listed(by_place[_STEPS]):
        journal.lose(
            WHERE,
            f"activity regularizers in {_STEPS} ({layers}): Keras 3 does not add them to the loss, or for each step, "
            "where older ones add them for all steps together",
        )
    if layers := _listed(by_place[_ATTENTION]):
        journal.lose(
            WHERE,
            f"activity regularizers of {_ATTENTION} ({layers}): Keras 3 adds them to the loss for each of four "
            "projections, where older ones add them for the output",
        )
    layers = _listed(by_place[""])
    if layers and of_many_backends:
        journal.lose(
            WHERE,
            f"activity regularizers of layers ({layers}): Keras 3 divides them by the size of the batch, where older "
            "ones did not",
        )


def _listed(layers: Iterable[str]) -> str:
    return first_of(sorted(set(layers)), _SHOWN)


class Regularized(NamedTuple):
    """A regularizer: the name of its layer, its argument, whether the layer is frozen, and `place`, the class among
    those that add regularizers of outputs otherwise which the layer is or is in."""

    layer: str = ""
    argument: str = ""
    frozen: bool = False
    place: str = ""


def regularized(config: Mapping[str, Any]) -> Iterator[Regularized]:
    """The regularizers of all layers; a frozen wrapper freezes the layer in it."""
    stack: list[tuple[Any, Regularized]] = [(config, Regularized())]
    while stack:
        value, outer = stack.pop()
        if isinstance(value, list):
            stack.extend((item, outer) for item in value)
        elif isinstance(value, Mapping):
            inner, class_name = value.get("config"), value.get("class_name")
            if isinstance(class_name, str) and isinstance(inner, Mapping):
                outer = _entered(class_name, inner, outer)
                yield from (outer._replace(argument=key) for key, item in inner.items() if _counts(key, item))
                if class_name == "ActivityRegularization" and any(map(inner.get, ("l1", "l2"))):
                    yield outer._replace(argument=ACTIVITY)
            stack.extend((item, outer) for item in value.values() if isinstance(item, list | Mapping))


def _entered(class_name: str, config: Mapping[str, Any], outer: Regularized) -> Regularized:
    """The values that all regularizers in a layer share; `outer` has those of the layer around it."""
    place = outer.place or (class_name if class_name in (_STEPS, _ATTENTION) else "")
    if class_name in MODELS:
        return Regularized(place=place)
    return Regularized(
        layer=outer.layer or str(config.get("name", "")),
        frozen=outer.frozen or config.get("trainable") is False,
        place=place,
    )


def _counts(key: str, value: Any) -> bool:
    """Whether an argument is a regularizer that is not 0."""
    if not key.endswith("_regularizer") or value is None:
        return False
    factors = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(factors, Mapping) or not factors.keys() & {"l1", "l2"}:
        return True
    return any(factors.get(factor) not in (None, 0, 0.0) for factor in ("l1", "l2"))
