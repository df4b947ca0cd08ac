"""The order of weights in Keras 3's legacy `.h5`: trainable ones first, unless the layer is itself frozen."""

from ckpttool.model.slots import Part, Slot, in_weights_order


def in_legacy_order(part: Part) -> list[tuple[tuple[str, ...], Slot]]:
    """The weights of a layer and of the objects inside it, each with the names of the objects down to it."""
    weights = in_weights_order(part)
    return sorted(weights, key=lambda entry: not entry[1].trainable) if part.trainable else weights
