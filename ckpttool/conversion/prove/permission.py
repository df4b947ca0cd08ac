"""The permission to load a model with Keras for a proof. Keras calls what a config names, so all of it is checked."""

from collections.abc import Collection, Iterator
from typing import Any

from ckpttool.checkpoint import Checkpoint
from ckpttool.dangers import Danger, Kind, dangers_in

_HARMLESS = frozenset({Kind.CUSTOM_OBJECT, Kind.PATH, Kind.BYTES})  # which only code of the user's own uses


def hindrance(checkpoint: Checkpoint, converted: Any, own: Collection[str]) -> str:
    """The reason why neither the old nor the converted model may be run, empty where both may.

    `converted` is the config of the new model, and `own` are the user's functions in it, as `package.module:function`.
    Code of a Lambda layer in the old model is no reason, nor is anything in a SavedModel, as tf_keras then does not
    load that model.
    """
    unloaded = checkpoint.saved_model is not None
    old = () if unloaded else (danger for danger in _in_old(checkpoint) if danger.kind is not Kind.LAMBDA_CODE)
    named = {f"names {place.replace(':', '.')}" for place in own}
    for dangers in (old, dangers_in(converted, "the new config")):
        for danger in dangers:
            if danger.kind not in _HARMLESS and danger.detail not in named:
                return _reason(danger)
    return ""


def _reason(danger: Danger) -> str:
    """The reason that a danger is. `ckpttool check` does not report each file: tf.keras opens none that a SavedModel
    has among its assets."""
    if danger.kind is Kind.OPENED_FILE:
        return f"{danger.place} {danger.detail}, a file that Keras would open"
    return f"{danger.place} {danger.detail}; ckpttool check explains the danger"


def hindrance_of_old(checkpoint: Checkpoint) -> str:
    """The reason why tf_keras must not load the old model, as it would run code in it or import modules that it names;
    empty where it may."""
    if checkpoint.saved_model is not None:
        return "it is a SavedModel, and its graph may do anything when it is loaded"
    for danger in _in_old(checkpoint):
        if danger.kind is Kind.LAMBDA_CODE:
            return f"it has Python bytecode ({danger.place})"
        if danger.kind is Kind.CUSTOM_OBJECT:
            return f"it names {danger.detail}, which is not Keras's own"
    return ""


def _in_old(checkpoint: Checkpoint) -> Iterator[Danger]:
    yield from dangers_in(checkpoint.config, "config")
    yield from dangers_in(checkpoint.training_config, "training_config")
