"""Pooling (keras/src/layers/pooling, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import ranked, sole
from ckpttool.model.layers.layer_type import LayerType, MaskUse, Trait
from ckpttool.model.layers.spatial import Image, changed
from ckpttool.model.layers.work import Run, Work, WorkRule, counted, each_input, elements
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.shape_arithmetic import pooled
from ckpttool.model.sizes import times


def pool(rank: int, default: int | None = None) -> Rule:
    """Max and average pooling: a window that moves by its own size where no strides are given."""

    def change(args: Args, image: Image) -> Image:
        window = args.numbers("pool_size", rank, default)
        strides = args.numbers("strides", rank) if "strides" in args else window
        padding = args.choice("padding", "valid", "same")
        sizes = zip(image.space, window, strides, strict=True)
        return image.with_space(*(pooled(*axis, padding) for axis in sizes))

    return changed(rank, change)


def adaptive_pool(rank: int) -> Rule:
    """Adaptive pooling: the sizes that are asked for."""

    def change(args: Args, image: Image) -> Image:
        return image.with_space(*args.numbers("output_size", rank))

    return changed(rank, change)


def global_pool(rank: int) -> Rule:
    """Global pooling: batch and channels; with `keepdims` the axes of space are 1 each."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape, keepdims = ranked(args, sole(args, call), rank + 2), args.flag("keepdims", False)
        image = Image.of(args, shape or (None,) * (rank + 2)).with_space(*(1,) * (rank if keepdims else 0))
        return (None if shape is None else image.shape,)

    return rule


def pool_work(rank: int, default: int | None = None) -> WorkRule:
    """Max and average pooling: an operation for each value in the window of each output."""

    def work(run: Run) -> Work | None:
        return counted(other=times(elements(run.output), *run.args.numbers("pool_size", rank, default)))

    return work


_AXES = (1, 2, 3)
ROWS = {
    **{f"AdaptiveAveragePooling{rank}D": LayerType(outputs=adaptive_pool(rank), work=each_input(1)) for rank in _AXES},
    **{f"AdaptiveMaxPooling{rank}D": LayerType(outputs=adaptive_pool(rank), work=each_input(1)) for rank in _AXES},
    **{f"AveragePooling{rank}D": LayerType(outputs=pool(rank), work=pool_work(rank)) for rank in _AXES},
    **{
        f"MaxPooling{rank}D": LayerType(outputs=pool(rank, 2), work=pool_work(rank, 2), traits=Trait.PASSES_DTYPE)
        for rank in _AXES
    },
    **{f"GlobalAveragePooling{rank}D": LayerType(outputs=global_pool(rank), work=each_input(1)) for rank in _AXES},
    **{
        f"GlobalMaxPooling{rank}D": LayerType(outputs=global_pool(rank), work=each_input(1), traits=Trait.PASSES_DTYPE)
        for rank in _AXES
    },
    "GlobalAveragePooling1D": LayerType(outputs=global_pool(1), masks=MaskUse.USED | MaskUse.TAKEN, work=each_input(1)),
}
