"""TensorFlow functions of images: patches, sizes, pooling, convolutions.

Each takes an emitter and the arguments under TensorFlow's names, as those of `value_functions`.
"""

from typing import Any

from ckpttool.model.tensorflow_ops.emitter import Emitter, NoEquivalent, Result
from ckpttool.model.tensorflow_ops.shape_functions import Function, dtype_of, static


def patches(e: Emitter, images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: Any = None) -> Result:
    """Patches of images, each as the channels of one place."""
    size, stride, rate = (static(value, "the patches") for value in (sizes, strides, rates))
    if any(value[0] != 1 or value[3] != 1 for value in (size, stride, rate)) or rate[1] != rate[2]:
        raise NoEquivalent("patches along other axes")
    return e.op(
        "image.ExtractPatches", images, size=size[1:3], strides=stride[1:3], dilation_rate=rate[1],
        padding=padding.lower(),
    )  # fmt: skip


def grayscale_to_rgb(e: Emitter, images: Any, name: Any = None) -> Result:
    """The one channel of images, three times."""
    return e.op("numpy.Concatenate", [images, images, images], axis=-1)


def resize(
    e: Emitter, images: Any, size: Any, method: Any = "bilinear", preserve_aspect_ratio: bool = False,
    antialias: bool = False, name: Any = None,
) -> Result:  # fmt: skip
    """Images of another size, sampled at the centres of pixels."""
    known = {"bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"}
    if preserve_aspect_ratio or method not in known:
        raise NoEquivalent(f"method {method!r}" if method not in known else "preserve_aspect_ratio")
    sizes = static(size, "the size")
    if method != "nearest" and dtype_of(images) not in (None, "float32"):  # TensorFlow returns float32 for all
        images = e.op("core.Cast", images, dtype="float32")
    return e.op(
        "image.Resize", images, size=sizes, interpolation=method, antialias=antialias, data_format="channels_last"
    )


def resize_raw(
    e: Emitter, images: Any, size: Any, method: str, half_pixel_centers: bool = False, align_corners: bool = False
) -> Result:
    """ResizeBilinear and the like, which sample as Keras 3 does only with half_pixel_centers."""
    if align_corners or not half_pixel_centers:
        raise NoEquivalent("a grid that does not sample at the centres of pixels")
    return resize(e, images, size, method)


def pool(operation: str) -> Function:
    """Pooling over images."""

    def pooled(
        e: Emitter, input: Any, ksize: Any, strides: Any, padding: Any, data_format: Any = "NHWC", name: Any = None
    ) -> Result:
        if data_format not in (None, "NHWC", "NCHW"):
            raise NoEquivalent(f"data_format {data_format!r}")
        channels_first = data_format == "NCHW"
        return e.op(
            operation, input, pool_size=_spatial(ksize, channels_first), strides=_spatial(strides, channels_first),
            padding=str(padding).lower(),
            data_format="channels_first" if channels_first else "channels_last",
        )  # fmt: skip

    return pooled


def _spatial(value: Any, channels_first: bool) -> Any:
    """The size for each spatial axis, also from a list for all four axes."""
    if isinstance(value, list) and len(value) == 4:
        return value[2:] if channels_first else value[1:3]
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def conv2d(
    e: Emitter, input: Any, filters: Any = None, strides: Any = 1, padding: Any = "VALID", data_format: Any = "NHWC",
    dilations: Any = None, name: Any = None, filter: Any = None, use_cudnn_on_gpu: Any = True,
) -> Result:  # fmt: skip
    """Convolution with a kernel in the graph."""
    if not isinstance(padding, str) or data_format not in ("NHWC", "NCHW"):
        raise NoEquivalent("explicit padding, or another data_format")
    channels_first = data_format == "NCHW"
    kernel = filters if filters is not None else filter
    return e.op(
        "nn.Conv", input, kernel, strides=_spatial(strides, channels_first), padding=padding.lower(),
        data_format="channels_first" if channels_first else "channels_last",
        dilation_rate=_spatial(dilations, channels_first) or 1,
    )  # fmt: skip


def depthwise_conv2d(
    e: Emitter, input: Any, filter: Any, strides: Any, padding: Any, rate: Any = None, name: Any = None,
    data_format: Any = "NHWC", dilations: Any = None,
) -> Result:  # fmt: skip
    """Convolution of each channel with kernels of its own in the graph."""
    if not isinstance(padding, str) or data_format not in (None, "NHWC", "NCHW"):
        raise NoEquivalent("explicit padding, or another data_format")
    channels_first, dilation = data_format == "NCHW", rate if dilations is None else dilations
    return e.op(
        "nn.DepthwiseConv", input, filter, strides=_single_size(strides, channels_first), padding=padding.lower(),
        data_format="channels_first" if channels_first else "channels_last",
        dilation_rate=_single_size(dilation, channels_first),
    )  # fmt: skip


def _single_size(value: Any, channels_first: bool) -> Any:
    """The size for all spatial axes. Raises NoEquivalent where they differ, as Keras 3 adds a list to a tuple then
    (`depthwise_conv`, keras/src/backend/tensorflow/nn.py, 3.15)."""
    sizes = _spatial(value, channels_first) or 1
    if isinstance(sizes, list) and len(set(sizes)) != 1:
        raise NoEquivalent("strides or dilations that differ by axis")
    return sizes[0] if isinstance(sizes, list) else sizes
