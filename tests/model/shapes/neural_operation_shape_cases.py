"""Calls of the other operations, and calls that Keras refuses."""

from collections.abc import Iterable
from itertools import product

import numpy as np

from tests.model.shapes.operation_case import Case, as_list, case, each, lists, over

_IMAGES = ((None, 8, 6, 3), (8, 6, 3), (None, None, None, 3))
_POINTS = ((None, 4, 2), (None, 4, 2))


def _windows() -> Iterable[Case]:
    last, first = {"data_format": "channels_last"}, {"data_format": "channels_first"}
    ways = ({"padding": "same"}, {"padding": "valid", "strides": 2}, {"padding": "SAME", "strides": (2, 1)})
    for way in (*ways, {"dilation_rate": 2}, {"dilation_rate": (1, 2), "padding": "same"}):
        yield case("Conv", (None, 9, None, 3), (3, 2, 3, 8), **last, **way)
        yield case("Conv", (None, 3, 9, 8), (3, 2, 3, 8), **first, **way)
        yield case("DepthwiseConv", (None, 9, 8, 3), (3, 2, 3, 2), **last, **way)
        yield case("SeparableConv", (None, 9, 8, 3), (3, 2, 3, 2), (1, 1, 6, 5), **last, **way)
        yield case("ConvTranspose", (None, 9, None, 3), (3, 2, 8, 3), **last, **way)
    yield case("Conv", (None, 9, 3), (3, 3, 4), padding="causal", **last)
    yield case("Conv", (None, 7, 9, 8, 3), call=lambda op, x: op(x, np.ones((2, 2, 2, 3, 4), "float32")), **last)
    yield case("SeparableConv", (None, 3, 9), (3, 3, 2), (1, 6, 5), **first)
    yield case("DepthwiseConv", (None, 3, None), (3, 3, 2), **first)
    for padding, more, strides in product(("same", "valid"), (None, 0, 1, (1, 0)), (1, 2, (3, 2))):
        config = {"padding": padding, "output_padding": more, "strides": strides}
        yield case("ConvTranspose", (None, 5, 6, 3), (4, 3, 8, 3), **last, **config)
    for padding in ("same", "valid"):
        yield case("ConvTranspose", (None, 5, 3), (2, 8, 3), strides=4, padding=padding, **last)
    yield case("ConvTranspose", (None, 3, 5), (4, 8, 3), dilation_rate=2, padding="same", output_padding=1, **first)
    pools = (
        {"pool_size": 2},
        {"pool_size": (3, 2), "strides": 1},
        {"pool_size": 3, "strides": (2, 1), "padding": "same"},
    )
    for way in pools:
        yield from each(("MaxPool", "AveragePool"), (None, 9, None, 3), **last, **way)
        yield from each(("MaxPool", "AveragePool"), (None, 3, 9, 8), **first, **way)
    yield from each(("MaxPool", "AveragePool"), (None, 9, 3), pool_size=4, **last)
    for name in ("AdaptiveMaxPool", "AdaptiveAveragePool"):
        yield case(name, (None, 9, 8, 3), output_size=(2, 4), **last)
        yield case(name, (None, 3, 9), output_size=(2,), **first)
    patches = ({"size": 2}, {"size": (3, 2), "strides": 1}, {"size": (2, 2), "strides": (1, 2), "padding": "same"})
    for way in (*patches, {"size": 2, "strides": 1, "dilation_rate": 2}):
        yield case("ExtractPatches", (None, 8, 6, 3), **last, **way)
        yield case("ExtractPatches", (3, 8, None), **first, **way)
    yield case("ExtractPatches", (None, 8, 6, 5, 3), size=(2, 3, 1), **last)
    yield case("ExtractPatches", (8, 6, 5, 3), size=(2, 2, 2), strides=1, **last)
    folds = (
        {"kernel_size": 2},
        {"kernel_size": (3, 2), "stride": 2, "padding": 1},
        {"kernel_size": 2, "dilation": (2, 1)},
    )
    yield case("Unfold", (None, 3, 8, 9), kernel_size=2, padding=(1, 2))
    yield from over(["Unfold"], [[(None, 3, 8, 9)]], *folds)
    yield from over(
        ["Fold"],
        [[(None, 12, 20)]],
        {"output_size": (5, 6), "kernel_size": 2},
        {"output_size": 4, "kernel_size": (2, 1)},
    )
    for name, config in product(("DepthToSpace", "SpaceToDepth"), (last, first)):
        yield case(name, (None, 4, 8, 8), block_size=2, **config)
        yield case(name, (2, 8, None, 4), block_size=2, **config)
    yield from over(["ExtractSequences"], [[(None, 16)], [(2, None)]], {"sequence_length": 4, "sequence_stride": 3})


def _neural() -> Iterable[Case]:
    yield from over(["Glu"], [[(None, 6, 4)]], {}, {"axis": 1}, {"axis": 0})
    codes = ({"num_classes": 5}, {"num_classes": 5, "axis": 0}, {"num_classes": 5, "axis": 1})
    yield from over(["OneHot", "MultiHot"], [[(None, 3)], [(2, 3, 4)]], *codes)
    yield from each(("OneHot", "MultiHot"), (None,), num_classes=3)
    yield from each(("OneHot", "MultiHot"), (), num_classes=3)
    yield case("MultiHot", (None, 3), num_tokens=4)
    yield from over(["BinaryCrossentropy", "CategoricalCrossentropy"], [((None, 3), (None, 3)), ((2, 3, 4),) * 2])
    sparse = [((None,), (None, 3)), ((None, 1), (None, 3)), ((None, 7), (None, 7, 3))]
    yield from over(["SparseCategoricalCrossentropy"], sparse)
    yield case("SparseCategoricalCrossentropy", (None, 7), (None, 3, 7), axis=1)
    yield case("BatchNorm", (None, 3), (3,), (3,), call=lambda op, x, m, v: op(x, m, v, None, None), axis=-1)
    yield case("BatchNorm", (None, 3), (3,), (3,), (3,), (3,), axis=1)
    yield case("CTCLoss", (4, 5), (4, 9, 6), (4,), (4,))
    yield case("CTCLoss", (None, 5), (None, 9, 6), (None,), (None,))
    decodes = ({}, {"strategy": "beam_search", "top_paths": 3}, {"top_paths": 3})
    yield from over(["CTCDecode"], [((None, 9, 6), (None,))], *decodes)
    yield case("DotProductAttention", (None, 4, 2, 8), (None, 5, 2, 8), (None, 5, 2, 8))
    yield case("DotProductAttention", *((None, 4, 2, 8),) * 3, call=lambda op, *x: op(*x, mask=None, scale=0.5))
    yield case("InTopK", (None,), (None, 5), k=2)
    yield case("LayerNorm", (None, 3), call=lambda operation, x: operation(x, None, None))
    yield case("LayerNorm", (None, 3), (3,), (3,))
    yield case("RMSNorm", (None, 3), (3,))
    yield case("PSNR", (None, 3), (None, 3), max_val=1.0)


def _signals() -> Iterable[Case]:
    yield from lists(["FFT", "FFT2", "IFFT2"], [((None, 4, 8), (None, 4, 8))])
    yield from lists(["IRFFT"], [((None, 9), (None, 9)), ((2, None), (2, None))], {}, {"fft_length": 7})
    yield from over(["RFFT"], [[(None, 9)], [(2, None)]], {}, {"fft_length": 12})
    frames = {"sequence_length": 8, "sequence_stride": 3, "fft_length": 9}
    yield from over(["STFT"], [[(None, 40)], [(2, None)]], frames, {**frames, "center": False})
    pairs = [((None, 6, 5), (None, 6, 5)), ((2, None, 5), (2, None, 5))]
    yield from lists(["ISTFT"], pairs, frames, {**frames, "center": False}, {**frames, "length": 20})
    yield from each(("ViewAsComplex", "ViewAsReal"), (None, 3, 2))


def _linear() -> Iterable[Case]:
    squares = (
        "Cholesky",
        "CholeskyInverse",
        "Inv",
        "Det",
        "Eig",
        "Eigh",
        "LuFactor",
        "Logdet",
        "MatrixRank",
        "Slogdet",
    )
    yield from over(squares, [[(None, 3, 3)], [(4, 4)]])
    yield from over(["LuFactor", "Pinv", "MatrixRank", "Qr"], [[(None, 3, 5)], [(2, 5, 3)]])
    yield from over(["Qr"], [[(None, 3, 5)], [(5, 3)]], {"mode": "complete"})
    ways = ({}, {"full_matrices": False}, {"compute_uv": False})
    yield from over(["SVD"], [[(None, 3, 5)], [(5, 3)]], *ways)
    yield from over(["Solve", "SolveTriangular"], [((None, 3, 3), (None, 3, 2)), ((3, 3), (3,)), ((3, 3), (3, 4))])
    yield case("Solve", (3, 3), (2, 4, 3))
    yield from over(["Lstsq"], [((5, 3), (5,)), ((5, 3), (5, 2)), ((None, 3), (None, 2))])


def _images() -> Iterable[Case]:
    for shape in _IMAGES:
        yield from each(("RGBToGrayscale", "RGBToHSV", "HSVToRGB", "GaussianBlur", "ElasticTransform"), shape)
        yield case("Resize", shape, size=(5, 4))
        yield case("PadImages", shape, top_padding=1, left_padding=2, target_height=20, target_width=20)
        yield case("CropImages", shape, top_cropping=1, left_cropping=2, target_height=4, target_width=3)
        yield case("AffineTransform", shape, (None, 8))
        yield case("PerspectiveTransform", shape, *_POINTS)
        yield case("SSIM", shape, shape)
    sides = {"top": 1, "bottom": 2, "left": 0, "right": 1}
    yield case("PadImages", (None, 8, 6, 3), **{f"{side}_padding": size for side, size in sides.items()})
    yield case("PadImages", (None, None, 6, 3), **{f"{side}_padding": size for side, size in sides.items()})
    yield case("CropImages", (None, 8, 6, 3), **{f"{side}_cropping": size for side, size in sides.items()})
    yield case("Resize", (None, 3, 8, 6), size=(5, 4), data_format="channels_first")
    yield case("RGBToGrayscale", (None, 3, 8, 6), data_format="channels_first")
    yield case(
        "CropImages",
        (3, 8, 6),
        top_cropping=1,
        bottom_cropping=0,
        left_cropping=2,
        target_width=3,
        data_format="channels_first",
    )
    yield case("MapCoordinates", (5, 6), (2, None, 7), order=1)
    yield case(
        "ScaleAndTranslate",
        (5, 6, 3),
        (2,),
        (2,),
        spatial_dims=(0, 1),
        method="linear",
        call=lambda op, x, s, t: op(x, (9, 8, 3), s, t),
    )
    yield case("SobelEdges", (None, 8, 6, 3))
    yield case("AffineTransform", (8, 6, 3), (8,))


def _core() -> Iterable[Case]:
    yield case("Scatter", (None, 2), (None,), shape=(4, 5))
    yield case("ScatterUpdate", (4, None), (3, 2), (3,))
    yield case("SliceUpdate", (4, None), (2,), (2, 2))
    yield case("SliceUpdate", (4, None), (2, 2), call=lambda operation, x, y: operation(x, (0, 1), y))
    yield case("ConvertToTensor", (None, 3), dtype="float32")


OTHER_CASES: tuple[Case, ...] = (*_windows(), *_neural(), *_signals(), *_linear(), *_images(), *_core())
"""Calls that Keras takes."""

REFUSED: tuple[Case, ...] = (
    case("Add", (None, 3), (None, 4)),
    case("Mean", (None, 3), axis=2),
    case("Reshape", (2, 3), newshape=(4, -1)),
    case("Reshape", (2, 3), newshape=(-1, -1)),
    case("Squeeze", (2, 3), axis=1),
    case("Transpose", (2, 3), axes=(0, 0)),
    case("ExpandDims", (2, 3), axis=5),
    case("Repeat", (2, 3), repeats=[1, 2], axis=1),
    case("Split", (None, 7), indices_or_sections=2, axis=1),
    case("Split", (2, 7), indices_or_sections=(9,), axis=1),
    case("Matmul", (None, 3), (4, 5)),
    case("Dot", (None, 3), (4, 5)),
    case("Einsum", (None, 3), (3, 4), subscripts="ij->i"),
    case("Einsum", (None, 3), subscripts="ijk->i"),
    case("Tensordot", (2, 3), (4, 5), axes=[[1], [0]]),
    case("Conv", (None, 9, 4), (3, 3, 4), data_format="channels_last"),
    case("Conv", (None, 2, 3), (3, 3, 4), data_format="channels_last"),
    case("MaxPool", (None, 2, 3), pool_size=3, data_format="channels_last"),
    case("Glu", (None, 3)),
    case("OneHot", (None, 3), num_classes=4, axis=2),
    case("Cholesky", (2, 3)),
    case("Solve", (3, 3), (4, 2)),
    case("Solve", (3, 3), (2, 3, 4)),
    case("AffineTransform", (None, 8, 6, 3), (None, 2, 8)),
    case("Einsum", (3,), (3,), subscripts="i->i"),
    case("Rearrange", (None, 3), call=lambda operation, x: operation(x, "b c")),
    case("FFT", (4, 8), call=as_list),
    case("Resize", (8, 6), size=(2, 2)),
    case("PadImages", (8, 6, 3), top_padding=1, left_padding=2),
    case("CropImages", (8, 6, 3), top_cropping=1, left_cropping=2, target_height=9, target_width=3),
    case("Meshgrid", (3,)),
    case("TakeAlongAxis", (2, 3), (2,), axis=0),
    case("Concatenate", (2, 3), (2, 4), call=as_list),
    case("Stack", (2, 3), (2, 4), call=as_list),
    case("GetItem", (4, 3), call=lambda operation, x: operation(x, 4)),
    case("GetItem", (4, 3), call=lambda operation, x: operation(x, (0, 0, 0))),
    case("GetItem", (4, 3), call=lambda operation, x: operation(x, (..., 0, ...))),
)
"""Calls that Keras refuses."""
