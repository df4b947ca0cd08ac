"""Whether Keras may load a model to prove a conversion: it runs what a config names, so all of that has to be known."""

from collections.abc import Collection, Iterator
from typing import Any

from ckpttool.checkpoint import Checkpoint
from ckpttool.dangers import Danger, Kind, dangers_in

_HARMLESS = frozenset(
    {Kind.CUSTOM_OBJECT, Kind.PATH, Kind.BYTES}
)  # which only code of the user's own makes something of


def hindrance(checkpoint: Checkpoint, converted: Any, own: Collection[str]) -> str:
    """Why neither the old model nor the converted one is run, empty where nothing speaks against it. `converted` is the
    config of the new model, and `own` are the functions, as `package.module:function`, that the user has put into it.
    Code of a Lambda layer in the old one is no reason: it is not loaded then."""
    old = (one for one in _in_old(checkpoint) if one.kind is not Kind.LAMBDA_CODE)
    named = {f"names {place.replace(':', '.')}" for place in own}
    for found in (old, dangers_in(converted, "the new config")):
        for danger in found:
            if danger.kind not in _HARMLESS and danger.detail not in named:
                return f"{danger.place} {danger.detail}; ckpttool check says what that is"
    return ""


def hindrance_of_old(checkpoint: Checkpoint) -> str:
    """Why tf_keras does not load the old model: it would run the code in it, or import what it names."""
    for danger in _in_old(checkpoint):
        if danger.kind is Kind.LAMBDA_CODE:
            return f"it holds Python bytecode ({danger.place})"
        if danger.kind is Kind.CUSTOM_OBJECT:
            return f"it names {danger.detail}, which is not Keras's own"
    return ""


def _in_old(checkpoint: Checkpoint) -> Iterator[Danger]:
    yield from dangers_in(checkpoint.config, "config")
    yield from dangers_in(checkpoint.training_config, "training_config")
