"""Regularizers of frozen layers, which Keras 1 and 2 add to the loss that they report, and Keras 3 does not.

`Container.losses` of 1.2.2 and 2.2.4 and `Layer.losses` of tf.keras up to 2.15 have the regularizers of all weights;
`_get_regularization_losses` of keras/src/layers/layer.py, 3.15, has those of trainable weights only. The loss of a
frozen weight is a constant, so that training is the same.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.journal import Journal
from ckpttool.model.layers.table import MODELS

_SHOWN = 3


def note_frozen(config: Mapping[str, Any], journal: Journal) -> None:
    """Note that the loss of a compiled model is smaller by the regularizers of its frozen layers."""
    names = sorted(set(_frozen(config)))
    if not names:
        return
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    layers = ", ".join(names[:_SHOWN]) + more
    journal.lose(
        WHERE,
        f"the regularizers of frozen layers ({layers}) in the loss that is measured, which Keras 3 adds for trained "
        "weights alone; training is the same",
    )


def _frozen(config: Mapping[str, Any]) -> Iterator[str]:
    """The names of frozen layers whose weights have a regularizer; a frozen wrapper freezes the layer in it."""
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
                if frozen and any(_counts(key, item) for key, item in inner.items()):
                    yield name
            stack.extend((item, frozen, name) for item in value.values() if isinstance(item, list | Mapping))


def _counts(key: str, value: Any) -> bool:
    """Whether an argument is a regularizer of weights that is not 0."""
    if not key.endswith("_regularizer") or key == "activity_regularizer" or value is None:
        return False
    factors = value.get("config") if isinstance(value, Mapping) else None
    if not isinstance(factors, Mapping) or not factors.keys() & {"l1", "l2"}:
        return True
    return any(factors.get(factor) not in (None, 0, 0.0) for factor in ("l1", "l2"))
