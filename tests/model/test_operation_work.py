"""The work of operations of `keras.ops`, counted by hand, and of every call that live Keras was asked about."""

from dataclasses import replace
from math import ceil
from typing import Any

import pytest

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor, read_calls
from ckpttool.model.layers.work import Work
from ckpttool.model.operations.table import OPERATIONS
from ckpttool.model.operations.work import work_of_operation
from ckpttool.model.output_rule import Outputs
from tests.loops import for_each
from tests.model.shapes.operation_questions import QUESTIONS
from tests.recorded import recorded

NOT_COUNTED = {
    **dict.fromkeys(("AssociativeScan", "Cond", "JVP", "Map", "Scan", "Switch", "VectorizedMap"), "calls a function"),
    **dict.fromkeys(("Eig", "Eigh", "Lstsq", "MatrixRank", "Pinv", "SVD"), "repeats steps until they are exact enough"),
    **dict.fromkeys(("CTCDecode", "CTCLoss"), "its steps depend on the labels"),
    **dict.fromkeys(("ElasticTransform", "SSIM", "ScaleAndTranslate"), "its windows depend on the scale"),
}


def work_of(class_name: str, *shapes: Any, **config: Any) -> Work | None:
    """The work of one call on tensors of these shapes."""
    args = Args.of({"class_name": class_name, "module": "keras.src.ops.numpy", "config": {"name": "op", **config}})
    call = Call(tuple(Tensor(f"x{at}", 0, 0, shape) for at, shape in enumerate(shapes)))
    return work_of_operation(args, call, _outputs(args, call))


def _outputs(args: Args, call: Call) -> Outputs:
    return OPERATIONS[args.class_name](args, call, lambda layer, call: ())


@pytest.mark.parametrize(("work", "macs", "other"), [
    (work_of("Matmul", (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 0),
    (work_of("Dot", (3, 4), (4,)), 12, 0),
    (work_of("Dot", (3, 4), ()), 0, 12),
    (work_of("Inner", (3, 4), (5, 4)), 60, 0),
    (work_of("Vdot", (3, 4), (3, 4)), 12, 0),
    (work_of("Outer", (3,), (4,)), 0, 12),
    (work_of("Kron", (2, 3), (4, 5)), 0, 120),
    (work_of("Tensordot", (2, 3, 4), (4, 3, 5), axes=[[2, 1], [0, 1]]), 2 * 5 * 12, 0),
    (work_of("Einsum", (2, 3), (3, 4), subscripts="ij,jk->ik"), 24, 0),
    (work_of("Einsum", (2, 3, 4), (4, 5), subscripts="...j,jk->...k"), 2 * 3 * 4 * 5, 0),
    (work_of("Einsum", (2, 3), (3, 4), (4, 5), subscripts="ij,jk,kl->il"), 2 * (2 * 3 * 4 * 5), 0),
    (work_of("Einsum", (3, 4), subscripts="ij->ji"), 0, 0),
    (work_of("Einsum", (3, 4), subscripts="ij->i"), 0, 12),
    (work_of("Cross", (5, 3), (5, 3)), 0, 45),
    (work_of("CDist", (6, 2), (4, 2)), 0, 24 * 2 * 3 + 24),
    (work_of("Correlate", (7,), (3,), mode="valid"), 5 * 3, 0),
    (work_of("Conv", (1, 8, 8, 3), (3, 3, 3, 4), strides=1, padding="same"), 8 * 8 * 27 * 4, 0),
    (work_of("DepthwiseConv", (1, 8, 8, 3), (3, 3, 3, 2), padding="valid"), 36 * 9 * 6, 0),
    (work_of("SeparableConv", (1, 8, 8, 3), (3, 3, 3, 1), (1, 1, 3, 5), padding="valid"), 36 * (27 + 15), 0),
    (work_of("ConvTranspose", (1, 8, 8, 3), (3, 3, 2, 3), strides=2, padding="valid"), 64 * 9 * 6, 0),
    (work_of("MaxPool", (1, 8, 8, 3), pool_size=[2, 2], data_format="channels_last"), 0, 4 * 48),
    (work_of("AveragePool", (1, 8, 8, 3), pool_size=2, data_format="channels_last"), 0, 4 * 48),
    (work_of("Softmax", (2, 4), axis=-1), 0, 40),
    (work_of("LayerNorm", (2, 4), (4,), (4,)), 0, 40),
    (work_of("RMSNorm", (2, 4), (4,)), 0, 32),
    (work_of("BatchNorm", (2, 4), (4,), (4,), axis=-1), 0, 16),
    (work_of("Glu", (2, 4), axis=-1), 0, 8),
    (work_of("OneHot", (2, 4), num_classes=3), 0, 0),
    (work_of("DotProductAttention", (2, 5, 3, 4), (2, 6, 3, 4), (2, 6, 3, 4)), 2 * 180 * 4, 6 * 180),
    (work_of("CategoricalCrossentropy", (2, 4), (2, 4)), 0, 24),
    (work_of("CategoricalCrossentropy", (2, 4), (2, 4), from_logits=True), 0, 64),
    (work_of("BinaryCrossentropy", (2, 4), (2, 4)), 0, 56),
    (work_of("Resize", (1, 4, 4, 3), size=[8, 8], interpolation="nearest"), 0, 0),
    (work_of("Resize", (1, 4, 4, 3), size=[8, 8], interpolation="bilinear"), 4 * 192, 0),
    (work_of("Resize", (1, 4, 4, 3), size=[8, 8], interpolation="bicubic"), 16 * 192, 0),
    (work_of("RGBToGrayscale", (1, 4, 4, 3)), 48, 0),
    (work_of("RGBToHSV", (1, 4, 4, 3)), 0, 4 * 48),
    (work_of("GaussianBlur", (1, 4, 4, 3), kernel_size=[3, 3], sigma=[1.0, 1.0]), 48 * 9, 0),
    (work_of("RFFT", (2, 8)), 0, 2 * ceil(2.5 * 8 * 3)),
    (work_of("Cholesky", (2, 6, 6)), 0, 2 * 72),
    (work_of("Det", (6, 6)), 0, 144),
    (work_of("Inv", (6, 6)), 0, 432),
    (work_of("Solve", (6, 6), (6, 2)), 0, 144 + 2 * 36 * 2),
    (work_of("SolveTriangular", (6, 6), (6,)), 0, 36),
    (work_of("Sum", (2, 4)), 0, 8),
    (work_of("Add", (2, 4), (4,)), 0, 8),
    (work_of("Reshape", (2, 4), newshape=[8]), 0, 0),
])  # fmt: skip
def test_counted_by_hand(work: Work | None, macs: int, other: int) -> None:
    """The multiply-adds and the other operations are those of counting by hand."""
    assert work is not None
    assert (work.macs, work.other) == (macs, other)


def _sized(args: Args, call: Call) -> tuple[Call, Outputs]:
    """The call with the first number that fits in the place of every size that is not known."""
    for number in (6, 1, 2, 3, 4):
        sized = call.replaced(lambda tensor, number=number: _with(tensor, number))  # type: ignore[misc]
        try:
            return sized, _outputs(args, sized)
        except ConfigError:
            continue
    return call, _outputs(args, call)


def _with(tensor: Tensor, number: int) -> Tensor:
    return replace(tensor, shape=None if tensor.shape is None else tuple(size or number for size in tensor.shape))


TAKEN = QUESTIONS["takes"]


@for_each(sorted(TAKEN))
def test_every_operation_is_counted(question: str) -> None:
    """Every call that Keras takes has its work as soon as its shapes are known, but for the operations listed here."""
    entry = recorded("operation_shapes").answers[question]["entry"]
    args = Args.of(entry)
    call, outputs = _sized(args, read_calls(entry)[0])
    work = work_of_operation(args, call, outputs)
    if args.class_name in NOT_COUNTED:
        assert work is None
    elif outputs and None not in (*outputs, *call.inputs) and all(None not in (shape or ()) for shape in outputs):
        assert work is not None
        assert work.macs >= 0 <= work.other


def test_what_is_not_counted_is_listed_here() -> None:
    """Every other operation has a rule."""
    from ckpttool.model.operations.work import RULES

    assert set(OPERATIONS) - set(RULES) == set(NOT_COUNTED)
