"""Layers that change the size of images or the number of their boxes (keras/src/layers/preprocessing/
image_preprocessing, 3.15)."""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.outputs.call_inputs import at_least, flat, main, ranked, shapes, sole
from ckpttool.model.layers.outputs.rule import Infer, Outputs
from ckpttool.model.layers.outputs.spatial import channels_first
from ckpttool.model.sizes import Shape


def sized(args: Args, call: Call, infer: Infer) -> Outputs:
    """Resizing, CenterCrop and RandomCrop: `height` and `width`, for an image or a batch of them."""
    height, width = args.size("height"), args.size("width")
    first = channels_first(args)
    shape = ranked(args, sole(args, call), 3, 4)
    if shape is None:
        return (None,)
    return ((*shape[:-2], height, width),) if first else ((*shape[:-3], height, width, shape[-1]),)


def max_boxes(args: Args, call: Call, infer: Infer) -> Outputs:
    """MaxNumBoundingBoxes: so many boxes and labels for each image; anything else stays."""
    count, given = args.size("max_number"), main(call)
    boxes = given.get("bounding_boxes") if isinstance(given, Mapping) else None
    if not isinstance(boxes, Mapping):
        return shapes(given)
    counted = {key: _counted(args, value, count) for key, value in boxes.items()}
    return shapes({**given, "bounding_boxes": counted})


def _counted(args: Args, value: Any, count: int) -> list[Tensor]:
    return [Tensor(each.layer, each.node, each.output, _second(args, each.shape, count)) for each in flat(value)]


def _second(args: Args, shape: Shape | None, count: int) -> Shape | None:
    """A shape with another size of its second axis."""
    shape = at_least(args, shape, 2)
    return None if shape is None else (shape[0], count, *shape[2:])
