"""Layers that compute otherwise with whole numbers than they did: what Keras 2 made floating-point numbers of.

What was tried, Keras 2.15 against 3.15 on TensorFlow, all layers on int32, uint8, bool and floating-point inputs:
pooling gave the mean of whole numbers as a whole number and gives a fraction; Resizing and UpSampling2D gave what lies
between them and give it rounded; normalizations computed with floating-point numbers.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.conversion.tensorflow_ops.integers import is_whole
from ckpttool.model.arguments import Args

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
    """Refuses a layer that gives other numbers for whole ones."""
    if is_whole(dtype) and (args.class_name in _NORMALIZING or (args.class_name in _POOLING and dtype != "bool")):
        journal.refuse(label, f"{args.class_name} of {dtype}, which computes otherwise with whole numbers in Keras 3")


def is_cast(args: Args, dtype: str | None) -> bool:
    """Whether a layer needs floating-point numbers in place of whole ones to give what it gave."""
    plain = "bilinear" if args.class_name == "Resizing" else "nearest"
    sampled = args.class_name in _SAMPLING and args.config.get("interpolation", plain) != "nearest"
    return sampled and is_whole(dtype)


def behind_cast(args: Args, entry: Mapping[str, Any], label: str, journal: Journal) -> Args:
    """The model of a layer that casts and the layer of this entry, under the name of the latter."""
    journal.edit(CAST_INPUT, label)
    config = {"name": f"{args.name}_cast", "scale": 1.0, "offset": 0.0}
    cast = {"module": "keras.layers", "class_name": "Rescaling", "config": config, "registered_name": None}
    behind = {**entry, "config": {**entry["config"], "name": f"{args.name}_layer"}}
    return Args("Sequential", {"name": args.name, "layers": [cast, behind]})
