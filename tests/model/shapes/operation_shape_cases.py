"""Calls of operations on arrays, whose output shapes are compared with those that Keras reports."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.model.shapes.operation_case import Case, case, each, like, lists, over, with_key

_THRESHOLD = {"threshold": 0.1, "default_value": 0.0}
_CONFIGS: dict[str, dict[str, Any]] = {
    "Threshold": _THRESHOLD,
    "Clip": {"x_min": 0, "x_max": 1},
    "Cast": {"dtype": "float16"},
    "SaturateCast": {"dtype": "uint8"},
    "Roll": {"shift": 1},
}
_PAIRS = (((None, 3, 4), (None, 3, 4)), ((None, 3, 1), (2, 1, 4)), ((None, None), (None, 1)), ((4, 1), (3, None, 5)))
_REDUCED = like("Mean")
_ONE_AXIS = {"Argmax", "Argmin", "Nanargmax", "Nanargmin", "CountNonzero"}
_SEVERAL_AXES = [name for name in _REDUCED if name not in _ONE_AXIS]
_KEEPING = [name for name in _REDUCED if name != "CountNonzero"]


def _elementwise() -> Iterable[Case]:
    for name in (*like("Negative"), *like("Softmax"), "Sparsemax"):
        yield case(name, (None, 3, 4), **_CONFIGS.get(name, {}))
        yield case(name, (2, None), **_CONFIGS.get(name, {}))
    for name in like("Add"):
        yield from (case(name, *pair) for pair in _PAIRS)
    for name in like("BitwiseAnd"):
        yield case(name, (None, 3), (None, 3), of="int32")
    for name in ("Add", "Multiply", "Greater", "Power"):
        yield case(name, (None, 1), call=lambda operation, x: operation(x, 2.0))
        yield case(name, (None, 1), call=lambda operation, x: operation(2, x2=x))
        yield case(name, (None, 1), call=lambda operation, x: operation(x, np.ones((2, 5), "float32")))
    yield from each(("Softmax", "LogSoftmax"), (None, 3, 4), axis=[1, 2])
    yield from each(("Flip",), (None, 3, 4), axis=(0, 1))
    yield case("Roll", (None, 3, 4), shift=2, axis=1)
    yield case("Softmax", (None, 3), axis=None)
    yield case("Digitize", (None, 3), call=lambda operation, x: operation(x, np.ones(4, "float32")))
    yield case("FakeQuantWithMinMaxVars", (None, 3), (), ())
    yield from each(("Fliplr", "Flipud"), (None, 3, 4))
    yield case("FullLike", (None, 3), call=lambda operation, x: operation(x, 2))
    yield case("IsIn", (None, 3), (7, 2))
    yield case("Isclose", (None, 3), (1,))
    yield case("Isclose", (None, 3), (4, 1, 1), call=lambda operation, x, y: operation(x, y, rtol=0.1, atol=0.2))
    yield case("Polar", (None, 3), (None, 3))
    yield case("SearchSorted", (None,), (None, 3))
    yield case("StopGradient", (None, 3))
    yield case("Where", (None, 3), (4, None, 1), (), of="bool")
    yield case("Where", (None, 3), (None, 1), call=lambda operation, c, x: operation(c, x, 0))


def _reductions() -> Iterable[Case]:
    yield from over(_REDUCED, [[(None, 3, 4)], [(2, None, 5)]], {}, {"axis": 1}, {"axis": -1})
    yield from over(_KEEPING, [[(None, 3, 4)]], {"keepdims": True}, {"axis": 0, "keepdims": True})
    yield from over(_SEVERAL_AXES, [[(None, 3, 4)]], {"axis": (1, 2)}, {"axis": [0, -1], "keepdims": True})
    ways = ({"axis": None}, {"axis": 1})
    sorts = ("Sort", "Argsort", "Cumprod", "Cumsum", "Nancumprod", "Nancumsum")
    yield from over(sorts, [[(None, 3, 4)], [(2, 3, 4)]], *ways, {})
    yield from over(["Argpartition"], [[(None, 3, 4)], [(2, 3, 4)]], {"kth": 1}, {"kth": 1, "axis": None})
    yield from over(["Average"], [[(None, 3, 4)]], {}, {"axis": 1}, {"axis": -1})
    yield case("Average", (None, 3), (3,), axis=1)
    yield case("Average", (None, 3), (None, 3), axis=-1)
    yield case("Average", (None, 3), (None, 3))
    yield from over(["Diff"], [[(None, 3, 4)]], {}, {"n": 2, "axis": 1}, {"n": 9}, {"axis": 0})
    yield from over(["Moments"], [[(None, 3, 4)]], {"axes": [0]}, {"axes": [1, 2], "keepdims": True}, {"axes": 1})
    norms = (
        {},
        {"axis": 1},
        {"axis": (1, 2), "keepdims": True},
        {"ord": "fro", "axis": (1, 2)},
        {"ord": 2, "axis": -1},
    )
    yield from over(["Norm"], [[(None, 3, 4)]], *norms)
    yield from over(["Trapezoid"], [[(None, 3, 4)]], {}, {"axis": 1})
    for name in ("Quantile", "Nanquantile", "Percentile", "Nanpercentile"):
        for q in (0.5, [0.5], [0.1, 0.5, 0.9], np.array([0.1, 0.2])):
            yield case(name, (None, 3, 4), call=lambda operation, x, q=q: operation(x, q), axis=1)
        yield case(name, (None, 3, 4), (2,), axis=[1, 2], keepdims=True)
        yield case(name, (None, 3, 4), ())


def _shaping() -> Iterable[Case]:
    yield from over(["BroadcastTo"], [[(1, 3)], [(None, 3)]], {"shape": (4, 3)}, {"shape": (2, 5, 3)})
    yield from over(["ExpandDims"], [[(None, 3, 4)]], {"axis": 0}, {"axis": -1}, {"axis": (0, 2)}, {"axis": [-2, 1]})
    moves = (
        {"source": 1, "destination": -1},
        {"source": (0, 1), "destination": (2, 0)},
        {"source": [2], "destination": [0]},
    )
    yield from over(["Moveaxis"], [[(None, 3, 4, 5)]], *moves)
    pads = (2, (1, 2), ((1, 2),), ((0, 0), (1, 2), (3, 4)), [[1], [2], [3]])
    yield from (case("Pad", (None, 3, 4), pad_width=width) for width in pads)
    yield case("Pad", (None, 3), call=lambda operation, x: operation(x, constant_values=1), pad_width=1)
    yield from each(("Ravel",), (None, 3))
    yield from each(("Ravel",), (2, 3))
    repeats = (
        {"repeats": 2},
        {"repeats": 2, "axis": 1},
        {"repeats": [3], "axis": 0},
        {"repeats": [1, 2, 3], "axis": 1},
    )
    yield from over(["Repeat"], [[(None, 3, 4)], [(2, 3, 4)]], *repeats)
    yield case("Repeat", (2, 1), repeats=[1, 5])
    shapes = ((-1, 12), (-1, 3, 2, 2), (6, -1), (-1,), (None, 12), (2, 12))
    yield from over(["Reshape"], [[(None, 3, 4)], [(2, 3, 4)]], *({"newshape": shape} for shape in shapes))
    yield case("Reshape", (1,), newshape=())
    yield from over(["Rot90"], [[(None, 3, 4)]], {}, {"k": 2}, {"axes": (1, 2)}, {"axes": (-1, 0)})
    yield from over(["Squeeze"], [[(None, 1, 3, 1)]], {}, {"axis": 1}, {"axis": (1, -1)}, {"axis": [-1]})
    yield case("Squeeze", (None, None, 3, 1))
    yield from over(["Swapaxes"], [[(None, 3, 4)]], {"axis1": 0, "axis2": 2}, {"axis1": -1, "axis2": 1})
    yield from over(["Tile"], [[(None, 3)], [(2, 3)]], {"repeats": 2}, {"repeats": [1, 2]}, {"repeats": (2, 1, 3)})
    yield from over(["Transpose"], [[(None, 3, 4)]], {}, {"axes": (0, 2, 1)}, {"axes": [-1, 0, 1]})


def _making() -> Iterable[Case]:
    yield case("AllClose", (None, 3), (None, 3))
    yield from over(["Bincount"], [[(None, 3)]], {}, {"minlength": 5})
    yield from over(["Diag"], [[(3,)], [(None,)], [(3, 5)], [(5, 3)], [(None, 4)]], {}, {"k": 1}, {"k": -2}, {"k": 9})
    yield from over(["Diagflat"], [[(3,)], [(None, 2)], [(2, 3)], [()]], {}, {"k": -2})
    diagonals = (
        {},
        {"axis1": 1, "axis2": 2},
        {"offset": 2, "axis1": -1, "axis2": 1},
        {"offset": -1, "axis1": 1, "axis2": 2},
    )
    yield from over(["Diagonal", "Trace"], [[(None, 3, 4)], [(2, 3, 5)]], *diagonals)
    yield case("Full", (), shape=(2, 3))
    spaced = ({}, {"num": 5}, {"num": 7, "axis": -1}, {"num": 3, "axis": 1})
    yield from over(["Linspace", "Logspace", "Geomspace"], [[(None, 3), (3,)], [(2,), (4, 1)]], *spaced)
    yield case("Linspace", (None,), call=lambda operation, x: operation(x, 4.0))
    yield from over(["Histogram"], [[(None, 3)]], {}, {"bins": 4})
    yield from each(("Ndim", "Nonzero", "Size"), (None, 3, 4))
    yield from over(["UnravelIndex"], [[(None,)], [(2, 3)]], {"shape": (4, 5)})
    yield from over(["Vander"], [[(4,)], [(None,)]], {}, {"N": 3})
    yield from over(["View"], [[(None, 4)]], {"dtype": "int32"}, {"dtype": None}, {"dtype": "int8"})
    yield case("View", (), dtype="float32")
    flags = (
        {"return_index": True},
        {"return_inverse": True, "return_counts": True},
        {"return_inverse": True, "axis": 1},
    )
    yield from over(["Unique"], [[(None, 3)]], {}, {"size": 4}, {"size": 4, "axis": 0}, *flags)


def _joining() -> Iterable[Case]:
    rows = (((None, 3, 4), (None, 3, 4)), ((None, 3, None), (2, 3, 4)), ((2, 3, 5), (2, 3, 4), (2, 3, 1)))
    yield from lists(["Concatenate"], rows, {"axis": -1})
    yield from lists(["Concatenate"], rows[:2], {"axis": 0}, {"axis": -3})
    yield from lists(["Hstack", "Vstack", "Stack"], rows[:1])
    yield from lists(["Hstack"], [((None, 3), (None, 5))])
    yield from lists(["Vstack"], [((2, 3), (4, 3)), ((None, 3), (4, 3))])
    yield from lists(["Dstack"], [((2,), (2,)), ((None, 3), (None, 3)), ((2, 3, 4), (2, 3, 5)), ((), ())])
    yield from lists(["Stack"], rows[:2], {"axis": 1}, {"axis": -1})
    yield from over(["Append"], [rows[2][:2]], {}, {"axis": 2}, {"axis": -1})
    yield case("Append", (None, 3), (2, 3))
    yield from over(["ArraySplit"], [[(None, 7, 4)]], *({"indices_or_sections": n, "axis": 1} for n in (1, 3, 9)))
    yield case("ArraySplit", (None, 7), indices_or_sections=2)
    splits = ({"indices_or_sections": 3, "axis": 1}, {"indices_or_sections": (1, 4), "axis": -2})
    yield from over(["Split"], [[(None, 6, 4)]], *splits, {"indices_or_sections": 2}, {"indices_or_sections": [2]})
    yield from over(["Hsplit", "Vsplit", "Dsplit"], [[(4, 4, 8)]], *({"indices_or_sections": n} for n in (2, (1, 3))))
    yield from each(("Hsplit",), (6,), indices_or_sections=2)
    yield from over(["Unstack"], [[(None, 3, 4)]], {"axis": 1}, {"axis": -1}, {"num": 2}, {"num": 3, "axis": 1})
    yield from over(["Meshgrid"], [[(3,), (None,)], [(2, 3), (), (4,)]], {}, {"indexing": "ij"})
    yield case("Select", (None, 3), (None, 3), call=lambda operation, c, x: operation([c], [x], 0), of="bool")
    yield from over(["TopK"], [[(None, 9)]], {"k": 3}, {"k": 2, "sorted": False})
    for name in ("SegmentSum", "SegmentMax", "SegmentMin", "SegmentProd"):
        yield from over([name], [[(None, 3), (None,)], [(6, 3, 2), (6,)]], {}, {"num_segments": 4})


def _products() -> Iterable[Case]:
    pairs = [((None, 3), (3, 4)), ((None, 2, 3), (3,)), ((3,), (None, 3, 4)), ((2, 1, 3, 4), (5, 4, 2)), ((3,), (3,))]
    yield from over(["Matmul"], [*pairs, ((None, None, 3), (None, 3, None))])
    yield from over(["Dot"], [*pairs[:2], ((3,), (3,)), ((None, 3), (5, 3, 2)), ((), (None, 3)), ((None, 3), ())])
    yield case("Matmul", (None, 3), call=lambda operation, x: operation(x, np.ones((3, 7), "float32")))
    yield from over(["Inner"], [((None, 3), (5, 3)), ((), (2, 3)), ((2, 3), ())])
    axes = ({"axes": 1}, {"axes": 0}, {"axes": [[2], [0]]}, {"axes": ((-1,), (0,))})
    yield from over(["Tensordot"], [((None, 3, 4), (4, 5))], *axes[:2])
    yield from over(["Tensordot"], [((2, 3, 4), (4, 5))], *axes[2:])
    yield from over(["Tensordot"], [((2, 3, 4), (3, 4, 5))], {}, {"axes": [[1, 2], [0, 1]]})
    yield from over(
        ["Cross"], [((None, 3), (None, 3)), ((4, 2), (4, 3)), ((None, 2), (None, 2)), ((3, None), (3, None))]
    )
    yield from over(["Cross"], [((3, 5), (3, 5))], {"axis": 0}, {"axisa": 0, "axisb": 0, "axisc": 1})
    yield from over(["Outer", "Kron"], [((None, 3), (2, 4)), ((2, 3), (4, 5)), ((3,), (4, 2))])
    yield case("Vdot", (None, 3), (None, 3))
    yield from over(
        ["Correlate"], [((5,), (3,)), ((2,), (6,))], *({"mode": mode} for mode in ("valid", "same", "full"))
    )
    yield from over(["CDist"], [((None, 5, 3), (4, 3)), ((6, 2), (1, 2))])
    two = {
        "ij,jk->ik": ((None, 3), (3, 4)),
        "...ij,kji->...k": ((None, 3, 4), (2, 4, 3)),
        "bij,bjk": ((None, 3, 4), (None, 4, 5)),
        "ij,jk": ((2, 3), (3, 4)),
        "abc,cde->abde": ((None, None, 4), (4, 2, 3)),
        "a...,a...->a...": ((None, 3, 4), (None, 3, 4)),
        "...a,ab->...b": ((None, 5, 6, 3), (3, 8)),
        "btnh,bsnh->bnts": ((None, 7, 2, 4), (None, None, 2, 4)),
        "i,j->ij": ((None,), (4,)),
        "ab,ab->": ((None, 3), (None, 3)),
        "a...b,b->...a": ((2, 3, 4), (4,)),
    }
    yield from (case("Einsum", *shapes, subscripts=text) for text, shapes in two.items())
    yield from (case("Einsum", (3, 3), subscripts=text) for text in ("ii->i", "ii", "ij->ji", "ij", "...->..."))
    patterns = {
        "b h w c -> b c h w": {},
        "b h w c -> b (h w) c": {},
        "b (h p) w c -> (b p) h w c": {"p": 2},
        "b h (q w) c -> b h q (c w)": {"w": 3},
    }
    for pattern, lengths in patterns.items():
        yield case("Rearrange", (2, 4, 6, 3), call=lambda op, x, p=pattern, n=lengths: op(x, p, **n))
    yield case("Rearrange", (2, 4, 6), call=lambda operation, x: operation(x, pattern="a b c -> (a c) b"))


def _picking() -> Iterable[Case]:
    yield from (
        with_key(0),
        with_key(slice(None), 1),
        with_key(slice(None), slice(1, 4)),
        with_key(slice(None), slice(None, None, -2)),
        with_key(..., -1),
        with_key(0, ..., None),
        with_key(None, slice(2), 1, slice(0, 3), slice(-3, None)),
        with_key(slice(1, None), slice(9, 2), ..., slice(None, 100, 3)),
        with_key(),
        with_key(slice(None), slice(None), slice(None), 6),
        case("GetItem", (None, 3), call=lambda operation, x: operation(x, 0)),
        case("GetItem", (4, 3), call=lambda operation, x: operation(x, key=[1, slice(0, 2)])),
    )
    for at in (0, [1, 2], [[0], [1]], np.zeros((2, 3, 1), "int32")):
        yield case("Take", (None, 5, 6), call=lambda operation, x, at=at: operation(x, at), axis=1)
        yield case("Take", (None, 5, 6), call=lambda operation, x, at=at: operation(x, at))
    yield case("Take", (None, 5, 6), (None, 2), axis=-1, of="int32")
    yield from over(["TakeAlongAxis"], [((None, 5, 6), (None, 2, 6))], {"axis": 1}, {"axis": -2})
    yield from over(["TakeAlongAxis"], [((2, 5), (7,)), ((None, 5), (None,))], {})
    for start in ((0, 1, 2), [0, 0, 0], np.array([0, 2, 1])):
        for shape in ((2, 3, 1), (2, -1, -1)):
            yield case("Slice", (4, 5, 6), call=lambda operation, x, at=start: operation(x, at), shape=shape)
    yield case("Slice", (None, 5), (2,), shape=(-1, 2))
    yield case("Slice", (None, 5), (2,), shape=(3, -1))


ARRAY_CASES: tuple[Case, ...] = (
    *_elementwise(),
    *_reductions(),
    *_shaping(),
    *_making(),
    *_joining(),
    *_products(),
    *_picking(),
)
"""Calls that Keras takes."""
