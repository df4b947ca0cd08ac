"""Layers that change images at random or resize them, or change the number of their boxes (keras/src/layers/
preprocessing/image_preprocessing, 3.15)."""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor, flat
from ckpttool.model.layers.call_inputs import at_least, main, misfit, ranked, shapes, sole
from ckpttool.model.layers.elementwise import same
from ckpttool.model.layers.layer_type import LayerType, Trait, each
from ckpttool.model.layers.spatial import channels_first
from ckpttool.model.layers.work import Run, Work, elements, interpolated, no_work
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import Shape


def sized(args: Args, call: Call, infer: Infer) -> Outputs:
    """Resizing, CenterCrop and RandomCrop: `height` and `width`, for an image or a batch of them."""
    height, width = args.size("height"), args.size("width")
    first = channels_first(args)
    shape = ranked(args, sole(args, call), 3, 4)
    if shape is None:
        return (None,)
    return ((*shape[:-2], height, width),) if first else ((*shape[:-3], height, width, shape[-1]),)


def resizing_work(run: Run) -> Work | None:
    """Resizing: an interpolation of each value; one against aliasing has a window that depends on the scale."""
    if run.args.flag("antialias", False):
        return None
    return interpolated(run.args.text("interpolation", "bilinear"), elements(run.output))


def crop_work(run: Run) -> Work | None:
    """CenterCrop and RandomCrop: nothing, but for an image that is too small, which is interpolated."""
    if run.input is None or run.output is None:
        return None
    pairs = zip(run.input[-3:], run.output[-3:], strict=True)
    if any(size is not None and (least is None or size > least) for least, size in pairs):
        return interpolated("bilinear", elements(run.output))
    return Work()


def colored(args: Args, call: Call, infer: Infer) -> Outputs:
    """RandomColorDegeneration: images of three channels, alone or in a batch."""
    shape = ranked(args, sole(args, call), 3, 4)
    if shape is not None and shape[-3 if channels_first(args) else -1] not in (3, None):
        raise misfit(args, "images with 3 channels", shape)
    return (shape,)


def max_boxes(args: Args, call: Call, infer: Infer) -> Outputs:
    """MaxNumBoundingBoxes: so many boxes and labels for each image; anything else stays."""
    count, inputs = args.size("max_number"), main(call)
    boxes = inputs.get("bounding_boxes") if isinstance(inputs, Mapping) else None
    if not isinstance(boxes, Mapping):
        return shapes(inputs)
    counted = {key: _counted(args, value, count) for key, value in boxes.items()}
    return shapes({**inputs, "bounding_boxes": counted})


def _counted(args: Args, value: Any, count: int) -> list[Tensor]:
    return [
        Tensor(tensor.layer, tensor.node, tensor.output, _second(args, tensor.shape, count)) for tensor in flat(value)
    ]


def _second(args: Args, shape: Shape | None, count: int) -> Shape | None:
    """A shape with another size of its second axis."""
    shape = at_least(args, shape, 2)
    return None if shape is None else (shape[0], count, *shape[2:])


_SAME = """
AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MixUp RandAugment RandomBrightness
RandomColorJitter RandomContrast RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale
RandomHue RandomInvert RandomPerspective RandomPosterization RandomSaturation RandomSharpness RandomShear
RandomTranslation RandomZoom Solarization
"""

ROWS = {
    **each(_SAME, LayerType(outputs=same, work=no_work)),
    "CenterCrop": LayerType(outputs=sized, work=crop_work, traits=Trait.PASSES_DTYPE),
    "MaxNumBoundingBoxes": LayerType(outputs=max_boxes, work=no_work),
    "RandomColorDegeneration": LayerType(outputs=colored, work=no_work),
    "RandomCrop": LayerType(outputs=sized, work=crop_work, traits=Trait.DRAWS_A_SEED),
    "RandomRotation": LayerType(outputs=same, work=no_work, traits=Trait.SIGNED),
    "Resizing": LayerType(outputs=sized, work=resizing_work),
}
