"""The order in which a legacy file has the weights of a layer: that of its generation, or the one that names tell.

Keras of many backends stores the weights of frozen models in a model behind all others, and no config says which these
were (`Network.trainable_weights`, keras/engine/network.py, 2.2.4). It does not load them in this order itself.
"""

from collections.abc import Sequence

from ckpttool.checkpoint import Weight
from ckpttool.model.generations.stored_order import StoredSlot
from ckpttool.model.layers.table import of_kind
from ckpttool.model.slots import Part

_MODELS = of_kind("model")

LASTING = frozenset(
    {"kernel", "bias", "gamma", "beta", "recurrent_kernel", "moving_mean", "moving_variance", "embeddings"}
)
"""The names of weights that have had the same meaning in every Keras since 2."""


def order_of(part: Part, order: list[StoredSlot], weights: Sequence[Weight]) -> list[StoredSlot] | None:
    """The order of the weights of a layer, of which `order` is that of a generation; None where they have none."""
    order = _as_named(order, weights) if _holds_models(part) else order
    return order if _fits(order, weights) else None


def _holds_models(part: Part) -> bool:
    """Whether there is a model in a layer or model, at any depth."""
    return any(child.is_model or child.class_name in _MODELS or _holds_models(child) for _, child in part.children)


def _as_named(order: list[StoredSlot], weights: Sequence[Weight]) -> list[StoredSlot]:
    """The order of the weights by their names, where these name each array once; else the order as it is."""
    named: dict[tuple[str, str], list[StoredSlot]] = {}
    for slot in order:
        for scope in {*slot.chain, ""}:
            named.setdefault((scope, slot.name), []).append(slot)
    pieces = [["", *(weight.name or "").removesuffix(":0").split("/")] for weight in weights]
    slots = [named.get((scope, last), []) for *_, scope, last in pieces]
    by_name = [fitting[0] for fitting in slots if len(fitting) == 1]
    is_complete = len(order) == len(weights) == len({id(slot) for slot in by_name})
    return by_name if is_complete and _fits(by_name, weights) else order


def _fits(order: Sequence[StoredSlot], weights: Sequence[Weight]) -> bool:
    """Whether the weights of a layer can have this order: as many, each in a form of its slot and not misnamed."""
    return len(order) == len(weights) and all(
        slot.form_of(weight.shape) is not None and _may_be_called(slot, weight)
        for slot, weight in zip(order, weights, strict=True)
    )


def _may_be_called(slot: StoredSlot, weight: Weight) -> bool:
    """Whether a stored name can be the name of a slot; names with numbers and names of the user's own always can."""
    last = (weight.name or "").removesuffix(":0").rpartition("/")[2]
    return last not in LASTING or last in (slot.slot.name, slot.name)
