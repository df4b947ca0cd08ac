"""Regularizers that Keras 1 and 2 add to the loss otherwise: those of frozen layers, and those of what layers give.

`Container.losses` of 1.2.2 and 2.2.4 and `Layer.losses` of tf.keras up to 2.15 have the regularizers of all weights;
`_get_regularization_losses` of keras/src/layers/layer.py, 3.15, has those of trainable weights only. The loss of a
frozen weight is a constant, so that training is the same.

Keras 3, as tf.keras, divides a regularizer of the output of a layer by the size of the batch (`Layer.__call__`, 3.15);
Keras of many backends does not (`Layer.__call__` of keras/engine/base_layer.py, 2.3.1, and of topology.py, 1.2.2;
keras/regularizers.py, 1.0.8).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.journal import Journal
from ckpttool.escape import first_of
from ckpttool.model.layers.table import MODELS

ACTIVITY = "activity_regularizer"
_SHOWN = 3


def note_frozen(config: Mapping[str, Any], journal: Journal) -> None:
    """Note that the loss of a compiled model is smaller by the regularizers of its frozen layers."""
    layers = _listed(name for name, frozen, key in regularized(config) if frozen and key != ACTIVITY)
    if layers:
        journal.lose(
            WHERE,
            f"the regularizers of frozen layers ({layers}) in the loss that is measured, which Keras 3 adds for "
            "trained weights alone; training is the same",
        )


def note_outputs(config: Mapping[str, Any], of_many_backends: bool, journal: Journal) -> None:
    """Note that the regularizers of what layers of Keras of many backends give count less in the loss."""
    layers = _listed(name for name, _, key in regularized(config) if key == ACTIVITY)
    if layers and of_many_backends:
        journal.lose(
            WHERE,
            f"activity regularizers of layers ({layers}): Keras 3 divides them by the size of the batch, where older "
            "ones did not",
        )


def _listed(layers: Iterable[str]) -> str:
    return first_of(sorted(set(layers)), _SHOWN)


def regularized(config: Mapping[str, Any]) -> Iterator[tuple[str, bool, str]]:
    """The names of layers with a regularizer, whether each is frozen, and the argument; a frozen wrapper freezes the
    layer in it."""
    stack: list[tuple[Any, bool, str]] = [(config, False, "")]
    while stack:
        value, frozen, name = stack.pop()
        if isinstance(value, list):
            stack.extend((item, frozen, name) for item in value)
        elif isinstance(value, Mapping):
            inner = value.get("config")
            if isinstance(value.get("class_name"), str) and isinstance(inner, Mapping):
                name = name or str(inner.get("name", ""))
                if value["class_name"] in MODELS:
                    frozen, name = False, ""
                frozen = frozen or (inner.get("trainable") is False and value["class_name"] not in MODELS)
                yield from ((name, frozen, key) for key, item in inner.items() if _counts(key, item))
                if value["class_name"] == "ActivityRegularization" and any(map(inner.get, ("l1", "l2"))):
                    yield name, frozen, ACTIVITY
            stack.extend((item, frozen, name) for item in value.values() if isinstance(item, list | Mapping))


def _counts(key: str, value: Any) -> bool:
    """Whether an argument is a regularizer that is not 0."""
    if not key.endswith("_regularizer") or value is None:
        return False
    factors = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(factors, Mapping) or not factors.keys() & {"l1", "l2"}:
        return True
    return any(factors.get(factor) not in (None, 0, 0.0) for factor in ("l1", "l2"))
