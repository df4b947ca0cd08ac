"""Operations on images, alone or in a batch (keras/src/ops/image.py, 3.15)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import number, window
from ckpttool.model.operations.binding_rules import Bound, custom, single
from ckpttool.model.operations.windows import channels_last
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import merged, same_size
from ckpttool.model.sizes import Shape, Size, is_integer, read_shape


def _image(images: Shape) -> Shape:
    """The shape itself. Raises ValueError where it is not one of images."""
    if len(images) not in (3, 4):
        raise ValueError("an image with 3 axes, or a batch of images with 4")
    return images


def _same(args: Args, images: Shape) -> Shape:
    return _image(images)


def _with_channels(args: Args, images: Shape, *choices: Size) -> tuple[int, Shape]:
    """The number of the axis of channels, and the shape. Raises ValueError where the number of channels is none of
    `choices` and not unknown."""
    axis = len(_image(images)) - (1 if channels_last(args) else 3)
    if images[axis] not in (*choices, None):
        raise ValueError(f"images with {choices[-1]} channels, not {images[axis]}")
    return axis, images


def _gray(args: Args, images: Shape) -> Shape:
    axis, _ = _with_channels(args, images, 1, 3)
    return (*images[:axis], 1, *images[axis + 1 :])


def _colored(args: Args, images: Shape) -> Shape:
    return _with_channels(args, images, 3)[1]


def _framed(args: Args, images: Shape, height: Size, width: Size) -> Shape:
    """The shape with another height and width."""
    at = len(_image(images)) - (3 if channels_last(args) else 2)
    return (*images[:at], height, width, *images[at + 2 :])


def _resized(args: Args, images: Shape) -> Shape:
    return _framed(args, images, *window(args, "size", 2))


def _height_and_width(args: Args, images: Shape) -> tuple[Size, Size]:
    at = len(_image(images)) - (3 if channels_last(args) else 2)
    return images[at], images[at + 1]


def _padded(args: Args, images: Shape) -> Shape:
    height, width = _height_and_width(args, images)
    return _framed(
        args,
        images,
        _grown(args, height, ("top_padding", "bottom_padding"), "target_height", 1),
        _grown(args, width, ("left_padding", "right_padding"), "target_width", 1),
    )


def _cropped(args: Args, images: Shape) -> Shape:
    height, width = _height_and_width(args, images)
    return _framed(
        args,
        images,
        _grown(args, height, ("top_cropping", "bottom_cropping"), "target_height", -1),
        _grown(args, width, ("left_cropping", "right_cropping"), "target_width", -1),
    )


def _grown(args: Args, size: Size, sides: Sequence[str], target: str, sign: int) -> Size:
    """The size with both sides added (sign 1) or cut off (-1); two of both sides and the target size are in the
    config."""
    known = [number(args, key) for key in sides if key in args]
    if len(known) + (target in args) != 2 or min(known, default=0) < 0:
        raise args.error(target, f"two of {', '.join((*sides, target))}, none below 0")
    if target not in args:
        return None if size is None else size + sign * sum(known)
    target_size = number(args, target)
    if size is not None and sign * (target_size - size) < sum(known):
        raise args.error(target, f"a size that leaves the other side 0 at least, from {size}")
    return target_size


def _moved(args: Args, images: Shape, transform: Shape) -> Shape:
    if len(transform) not in (1, 2):
        raise ValueError("a transform with 1 axis, or a batch of transforms with 2")
    return _image(images)


def _in_perspective(args: Args, images: Shape, start: Shape, end: Shape) -> Shape:
    points = merged(start, end) or ()
    if len(points) not in (2, 3):
        raise ValueError("points with 2 or 3 axes")
    merged(points[-2:], (4, 2))
    return _image(images)


def _at_coordinates(args: Args, inputs: Shape, coordinates: Shape) -> Shape:
    if len(coordinates) < 2:
        raise ValueError("coordinates with 2 axes at least")
    same_size(coordinates[0], len(inputs))
    return coordinates[1:]


def _scaled(bound: Bound) -> Outputs:
    """Images scaled into the shape in the call, of which only the number of axes is known where it is computed."""
    value = bound.values["output_shape"]
    if isinstance(value, list | tuple):
        return (tuple(size if is_integer(size) else None for size in value),)
    if isinstance(value, Mapping):
        config = value.get("config")
        return (read_shape(config.get("value")) if isinstance(config, Mapping) else None,)
    return (None,)


def _edges(args: Args, images: Shape) -> Shape:
    if len(images) != 4:
        raise ValueError("a batch of images with 4 axes")
    return (*images, 2)


def _similarity(args: Args, image: Shape, other: Shape) -> Shape:
    """One number for each image."""
    _image(other)
    return _image(image)[:-3]


IMAGES: Mapping[str, Rule] = MappingProxyType(
    {
        "AffineTransform": single(_moved, "images", "transform"),
        "CropImages": single(_cropped, "images"),
        "ElasticTransform": single(_same, "images"),
        "GaussianBlur": single(_same, "images"),
        "HSVToRGB": single(_colored, "images"),
        "MapCoordinates": single(_at_coordinates, "inputs", "coordinates"),
        "PadImages": single(_padded, "images"),
        "PerspectiveTransform": single(_in_perspective, "images", "start_points", "end_points"),
        "RGBToGrayscale": single(_gray, "images"),
        "RGBToHSV": single(_colored, "images"),
        "Resize": single(_resized, "images"),
        "SSIM": single(_similarity, "image1", "image2"),
        "ScaleAndTranslate": custom(_scaled, "images", "output_shape", "scale", "translation"),
        "SobelEdges": single(_edges, "images"),
    }
)
"""Rules by class name."""
