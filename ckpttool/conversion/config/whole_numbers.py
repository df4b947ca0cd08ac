"""Layers that compute differently with whole numbers in Keras 3, some of which get a cast before them.

Tried with Keras 2.15 and 3.15 on TensorFlow, all layers on int32, uint8, bool and floating-point inputs: the mean of
whole numbers by pooling was a whole number and is a fraction; Resizing and UpSampling2D output interpolated values,
which are rounded now; normalizations computed with floating-point numbers.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model.arguments import Args
from ckpttool.model.entries import layer_entry
from ckpttool.model.tensorflow_ops.integers import is_whole

CAST_INPUT = Edit(
    "cast-whole-numbers",
    "puts a Rescaling of 1 before a layer that made floating-point numbers of whole ones",
    "always: the same numbers in the type that they had",
)
EDITS = (CAST_INPUT,)

_POOLING = frozenset({"GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"})
_NORMALIZING = frozenset({"LayerNormalization", "UnitNormalization"})
_SAMPLING = frozenset({"Resizing", "UpSampling2D"})


def check(args: Args, dtype: str | None, label: str, journal: Journal) -> None:
    """Refuse a layer whose outputs differ for whole numbers."""
    if is_whole(dtype) and (args.class_name in _NORMALIZING or (args.class_name in _POOLING and dtype != "bool")):
        journal.refuse(label, f"{args.class_name} of {dtype}, which computes otherwise with whole numbers in Keras 3")


def is_cast(args: Args, dtype: str | None) -> bool:
    """Whether a layer needs its whole numbers cast to floating-point numbers to compute the same as before."""
    plain = "bilinear" if args.class_name == "Resizing" else "nearest"
    sampled = args.class_name in _SAMPLING and args.config.get("interpolation", plain) != "nearest"
    return sampled and is_whole(dtype)


def behind_cast(args: Args, entry: Mapping[str, Any], label: str, journal: Journal) -> Args:
    """The model of a layer that casts and the layer of this entry, which has the name of that layer."""
    journal.edit(CAST_INPUT, label)
    config = {"name": f"{args.name}_cast", "scale": 1.0, "offset": 0.0}
    cast = layer_entry("Rescaling", config)
    behind = {**entry, "config": {**entry["config"], "name": f"{args.name}_layer"}}
    return Args("Sequential", {"name": args.name, "layers": [cast, behind]})
