"""Encoding of categories: numbers, one-hot vectors, sets and counts (keras/src/layers/preprocessing, 3.15).

Discretization: in Keras 3 an adapted layer has its boundaries in its config. In Keras 2 it has none there, but a
weight: a summary of its data, from which it works the boundaries out (keras/src/layers/preprocessing/
discretization.py, 2.15 and 3.15).
"""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import at_least, differ, listed, misfit, sole
from ckpttool.model.layers.layer_type import Build, LayerType, Trait
from ckpttool.model.layers.work import no_work
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import Inputs, Shape, Size, items
from ckpttool.model.slots import Part, Slot

SUMMARY = "summary"
"""The name of Discretization's weight in Keras 2."""


def category_encoding_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """CategoryEncoding: `num_tokens` in place of the last axis, or behind it for one-hot vectors of more than one."""
    mode = args.choice("output_mode", "multi_hot", "count", "one_hot", "binary")
    depth, shape = args.size("num_tokens"), sole(args, call)
    return (None,) if shape is None else (encoded(shape, depth, mode),)


def encoded(shape: Shape, depth: Size, mode: str) -> Shape:
    """A shape whose last axis is encoded, in the way of CategoryEncoding and the lookups."""
    if mode == "one_hot" and (len(shape) < 2 or shape[-1] != 1):
        return (*shape, depth)
    return (*shape[:-1], depth)


def hashing_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Hashing: the same for numbers, else `num_bins` in place of the last axis."""
    mode = args.choice("output_mode", "int", "one_hot", "multi_hot", "count")
    depth, shape = args.size("num_bins"), sole(args, call)
    return (shape if shape is None or mode == "int" else (*shape[:-1], depth),)


def hashed_crossing_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """HashedCrossing of two inputs: the shape of the first, or `num_bins` for one-hot vectors."""
    mode, depth = args.choice("output_mode", "int", "one_hot"), args.size("num_bins")
    shape, other = (at_least(args, shape, 1) for shape in listed(args, call, 2))
    if shape and other and differ(shape[-1], other[-1]):
        raise misfit(args, "two inputs of the same shape", shape, other)
    if shape is None or mode == "int":
        return (shape,)
    return ((*(shape[:-1] if shape[-1] == 1 else shape), depth),)


def discretization_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Discretization: the summary of its data, where nothing gives the boundaries."""
    has_boundaries = args.config.get("bin_boundaries") is not None
    return args.part(None if has_boundaries else Slot(SUMMARY, (2, None), trainable=False))


def discretization_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Discretization: the same for numbers, else one more than `bin_boundaries`, or `num_bins`.

    Keras states for sets and counts that the second axis goes, whichever is encoded.
    """
    mode = args.choice("output_mode", "int", "one_hot", "multi_hot", "count")
    depth, shape = _bins(args), sole(args, call)
    if shape is None or mode == "int":
        return (shape,)
    if mode == "one_hot":
        return (encoded(shape, depth, mode),)
    return ((shape[0], *shape[2:], depth) if len(shape) > 1 else (depth,),)


def _bins(args: Args) -> int:
    boundaries = items(args.config.get("bin_boundaries"))
    if boundaries is None:
        return args.size("num_bins")
    if not isinstance(boundaries, list):
        raise args.error("bin_boundaries", "a list of numbers")
    return len(boundaries) + 1


ROWS = {
    "CategoryEncoding": LayerType(
        outputs=category_encoding_outputs, parameters=("inputs", "count_weights"), work=no_work
    ),
    "Discretization": LayerType(discretization_weights, discretization_outputs, work=no_work),
    "HashedCrossing": LayerType(outputs=hashed_crossing_outputs, work=no_work, traits=Trait.HASHES),
    "Hashing": LayerType(outputs=hashing_outputs, work=no_work, traits=Trait.HASHES),
}
