"""Layers of a rewritten config that lack their function, or that do not run as they are."""

from ckpttool.conversion.config import channels_first, ragged_inputs
from ckpttool.conversion.config.result import Rewritten, Unfilled
from ckpttool.conversion.journal import Journal, NeedKind
from ckpttool.model.arguments import Args

_LIVE_MODEL = "--arch package.module:function with a model of yours that has it, or a target of weights alone"


def check(rewritten: Rewritten, whole: bool, journal: Journal) -> None:
    """Refuse layers that lack their function, or get ragged tensors that they do not accept, and note those that do not
    run everywhere; for weights alone, note the function as a need."""
    for layer in rewritten.without_function:
        _note_function(layer, whole, journal)
    if whole and not journal.refusals:  # a config with refused layers may not be complete
        ragged_inputs.check(Args.of(rewritten.config), journal)
        channels_first.note(rewritten.config, journal)


def _note_function(layer: Unfilled, whole: bool, journal: Journal) -> None:
    """Note or refuse a layer that lacks its function, with its formula where it is known, or that of its mask."""
    if layer.masks:
        own = f"a {layer.class_name} layer with a mask of its own, which Keras 3 does not read from a config"
        return journal.refuse(layer.label, f"{own}; {_LIVE_MODEL}") if whole else None
    if not whole:
        formula = f", which computes {layer.computes}," if layer.computes else ""
        formula = formula or (f", {layer.signature}," if layer.signature else "")
        need = f"the function of this {layer.class_name}{formula} in the model that the weights are for"
        return journal.need(layer.label, need, NeedKind.FUNCTION)
    code = ", which holds code" + (f": {layer.signature}" if layer.signature else "")
    formula = f" that computes {layer.computes}" if layer.computes else code
    advice = f"--replace {layer.name}=package.module:function puts a function of yours in place"
    return journal.refuse(layer.label, f"a {layer.class_name} layer{formula}; {advice}")
