"""Reshaping (keras/src/layers/reshaping, 3.15)."""

from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import at_least, misfit, ranked, sole, whole
from ckpttool.model.layers.layer_type import LayerType, Trait
from ckpttool.model.layers.spatial import Image, changed
from ckpttool.model.layers.work import Run, Work, elements, interpolated, no_work
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE, Shape, Size, is_integer, items, times

Pair = tuple[int, int]


def flatten(args: Args, call: Call, infer: Infer) -> Outputs:
    """Flatten: all axes but that of the batch become one."""
    shape = at_least(args, sole(args, call), 1)
    return (None,) if shape is None else ((shape[0], times(*shape[1:])),)


def reshape(args: Args, call: Call, infer: Infer) -> Outputs:
    """Reshape: `target_shape` behind the batch; where the input is not known, as far as that tells."""
    target, shape = _target(args), at_least(args, sole(args, call), 1)
    if shape is None or None in shape[1:] or None in target:
        return ((shape[0] if shape else None, *(None if size == -1 else size for size in target)),)
    return ((shape[0], *_filled(args, shape, target)),)


def _target(args: Args) -> Shape:
    """The target of a Reshape: sizes, of which one may be -1.

    Keras takes what it can iterate over, and what is no whole number in it for an unknown size
    (`compute_reshape_output_shape`, keras/src/ops/operation_utils.py, 3.15).
    """
    value = items(args.config.get("target_shape"))
    fits = isinstance(value, list | str | dict) and len(value) < MAX_RANK
    sizes = [size + 0 if isinstance(size, int) else None for size in value] if fits else [-2]  # true is 1
    if sizes.count(-1) > 1 or not all(size is None or -1 <= size <= MAX_SIZE for size in sizes):
        raise args.error("target_shape", "a list of sizes, of which one may be -1")
    return tuple(sizes)


def _filled(args: Args, shape: Shape, target: Shape) -> Shape:
    """The target with what -1 stands for."""
    total, known = times(*shape[1:]) or 0, times(*(size for size in target if size != -1)) or 0
    if -1 not in target and total != known:
        raise misfit(args, f"an input with {known} elements", shape)
    if -1 in target and (not known or total % known):
        raise misfit(args, f"an input with a multiple of {known} elements", shape)
    return tuple(total // known if size == -1 else size for size in target)


def permute(args: Args, call: Call, infer: Infer) -> Outputs:
    """Permute: the axes behind the batch in another order, counted from 1."""
    order = args.axes("dims")
    if sorted(order) != list(range(1, len(order) + 1)):
        raise args.error("dims", "the axes from 1 on, each once")
    shape = ranked(args, sole(args, call), len(order) + 1)
    return (None,) if shape is None else ((shape[0], *(shape[axis] for axis in order)),)


def repeat_vector(args: Args, call: Call, infer: Infer) -> Outputs:
    """RepeatVector: `n` times the same, on a new axis behind the batch."""
    count, shape = args.size("n"), ranked(args, sole(args, call), 2)
    return (None,) if shape is None else ((shape[0], count, shape[1]),)


def up_sampling(rank: int) -> Rule:
    """UpSampling1D to 3D; the first has no data format."""

    def change(args: Args, image: Image) -> Image:
        sizes = args.numbers("size", rank, 2)
        return image.with_space(*(times(size, by) for size, by in zip(image.space, sizes, strict=True)))

    return changed(rank, change)


def zero_padding(rank: int) -> Rule:
    """ZeroPadding1D to 3D; a number below 0 takes something of each axis of several (`ZeroPadding2D.__init__`, which
    looks at the numbers of pairs alone)."""

    def change(args: Args, image: Image) -> Image:
        pads = _negative(args, rank) or _pairs(args, "padding", rank, 1)
        padded = [_moved(size, sum(pad)) for size, pad in zip(image.space, pads, strict=True)]
        if any(size is not None and size < 0 for size in padded):
            raise misfit(args, "an input that is as large as what is taken off", image.shape)
        return image.with_space(*padded)

    return changed(rank, change)


def cropping(rank: int, default: int) -> Rule:
    """Cropping1D to 3D, the first without a data format; something of each axis must be left."""

    def change(args: Args, image: Image) -> Image:
        crops = _pairs(args, "cropping", rank, default)
        left = [_moved(size, -sum(crop)) for size, crop in zip(image.space, crops, strict=True)]
        if any(size is not None and size <= 0 for size in left):
            raise misfit(args, "an input that is larger than what is cropped", image.shape)
        return image.with_space(*left)

    return changed(rank, change)


def _moved(size: Size, by: int) -> Size:
    return None if size is None else size + by


def _negative(args: Args, rank: int) -> list[Pair]:
    """The pairs that one number below 0 stands for; none for other values."""
    value: Any = args.config.get("padding")
    return [(value, value)] * rank if rank > 1 and is_integer(value) and -MAX_SIZE <= value < 0 else []


def _pairs(args: Args, key: str, rank: int, default: int) -> list[Pair]:
    """The elements added or cropped before and behind each axis; one number stands for both, or for all.

    On one axis of space, a list of two is its pair.
    """
    value = items(args.config.get(key))
    value = default if value is None else value
    value = [value] if rank == 1 else value if isinstance(value, list) else [value] * rank
    pairs = [_pair(entry) for entry in value] if len(value) == rank else []
    known_pairs = [pair for pair in pairs if pair is not None]
    if len(known_pairs) != rank:
        raise args.error(key, f"a whole number or {rank} pairs of such")
    return known_pairs


def _pair(value: Any) -> Pair | None:
    """Two numbers, None where a value is no such pair."""
    value = items(value)
    value = value if isinstance(value, list) else [value, value]
    fits = len(value) == 2 and all(whole(size, 0) and size <= MAX_SIZE for size in value)
    return (value[0], value[1]) if fits else None


_AXES = (1, 2, 3)
_CROPPED = {1: 1, 2: 0, 3: 1}  # by default, on either side


def up_sampling_work(run: Run) -> Work | None:
    """UpSampling: nothing to repeat values; else an interpolation."""
    return interpolated(run.args.text("interpolation", "nearest"), elements(run.output))


ROWS = {
    **{
        f"Cropping{rank}D": LayerType(outputs=cropping(rank, _CROPPED[rank]), work=no_work, traits=Trait.PASSES_DTYPE)
        for rank in _AXES
    },
    **{
        f"UpSampling{rank}D": LayerType(outputs=up_sampling(rank), work=up_sampling_work, traits=Trait.PASSES_DTYPE)
        for rank in _AXES
    },
    **{
        f"ZeroPadding{rank}D": LayerType(outputs=zero_padding(rank), work=no_work, traits=Trait.PASSES_DTYPE)
        for rank in _AXES
    },
    "Flatten": LayerType(outputs=flatten, work=no_work, traits=Trait.PASSES_DTYPE),
    "Permute": LayerType(outputs=permute, work=no_work, traits=Trait.PASSES_DTYPE),
    "RepeatVector": LayerType(outputs=repeat_vector, work=no_work, traits=Trait.PASSES_DTYPE),
    "Reshape": LayerType(outputs=reshape, work=no_work, traits=Trait.PASSES_DTYPE),
}
