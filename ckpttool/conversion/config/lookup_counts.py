"""Lookups that count, whose outputs are integers in Keras 3, whatever their symbolic outputs say, and were floats.

Sources: `IndexLookup.call` in keras/src/layers/preprocessing/index_lookup.py of 2.15 and of 3.15.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.conversion.journal import Edit
from ckpttool.model.arguments import Args
from ckpttool.model.layers.table import of_kind

CAST_LOOKUP = Edit(
    "cast-lookup",
    "puts a Rescaling of 1 behind a lookup that counts, which gave floats and gives integers in Keras 3",
    "always: the same numbers in the type that they had",
)
EDITS = (CAST_LOOKUP,)

_LOOKUPS = of_kind("lookup")
_COUNTING = frozenset({"count", "multi_hot", "one_hot"})


def gives_integers(args: Args) -> bool:
    """Whether a layer gives integers in Keras 3 where it gave floating-point numbers."""
    dtype = args.config.get("dtype")
    counts = args.class_name in _LOOKUPS and args.config.get("output_mode") in _COUNTING
    return counts and not (isinstance(dtype, str) and dtype.startswith("int"))


def named(args: Args) -> str:
    """The name of the lookup before the layer that casts."""
    return f"{args.name}_lookup"


def lookup(args: Args, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of the lookup."""
    return {**entry, "config": {**entry["config"], "name": named(args)}}


def cast(args: Args) -> Args:
    """The layer that casts to the dtype of the lookup; the dtype of a TextVectorization is that of its input."""
    dtype = {"dtype": args.config["dtype"]} if args.config.get("dtype", "string") != "string" else {}
    return Args("Rescaling", {"name": f"{args.name}_cast", "scale": 1.0, "offset": 0.0, **dtype})
