"""TensorFlow functions that have no exact form in Keras 3."""

from typing import Any

import pytest

from ckpttool.conversion.journal import Journal
from ckpttool.conversion.tensorflow_ops import Number, Sizes, rewritten
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor

X = Tensor("x", 0, 0, (None, 4, 6))


def outcome(function: str, *args: Any, **kwargs: Any) -> tuple[Any, list[str]]:
    """The new config of one call of a function, and the refusals."""
    journal = Journal()
    config = rewritten(Args("TFOpLambda", {"name": "f", "function": function}), Call(args, kwargs), "f", journal)
    return config, [remark.what for remark in journal.refusals]


@pytest.mark.parametrize(
    ("function", "kwargs", "reason"),
    [
        ("signal.fft", {}, "no operation of Keras 3"),
        ("reshape", {"shape": [Tensor("n", 0, 0, ()), 3]}, "computed by the model"),
        ("reshape", {"shape": Sizes((None, None))}, "more than one size"),
        ("gather", {"indices": [0], "batch_dims": 1}, "batch_dims"),
        ("where", {}, "any number"),
        ("math.rsqrt", {"x": Number(6.0, "float32")}, "arithmetic with a shape"),
        ("math.abs", {"x": Sizes((6,), alone=True)}, "arithmetic with a shape"),
        ("math.multiply", {"y": Sizes((None,), alone=True)}, "arithmetic with a shape"),
        ("math.pow", {"x": Number(6.0, "float32"), "y": 0.5}, "arithmetic with a shape"),
        ("clip_by_value", {"clip_value_min": 0.0, "clip_value_max": Number(6.0, "float32")}, "arithmetic with a shape"),
        ("cast", {"x": Number(6.0, "float32"), "dtype": "bool"}, "as bool"),
        ("gather", {"indices": X, "batch_dims": 1}, "several axes"),
        ("sort", {"direction": "SIDEWAYS"}, "the order 'SIDEWAYS'"),
        ("argsort", {"direction": "SIDEWAYS"}, "the order 'SIDEWAYS'"),
        ("broadcast_to", {"shape": Sizes((None, 3, 4, 6))}, "size of a batch"),
        ("broadcast_to", {"shape": Sizes((None, 3, 6))}, "does not fit"),
        ("tensordot", {"b": Tensor("n", 0, 0, None), "axes": [1, 0]}, "number of axes is not known"),
        ("nn.depthwise_conv2d", {"filter": [[[[1.0]]]], "strides": [1, 1, 2, 1], "padding": "SAME"}, "differ by axis"),
        ("linalg.band_part", {"num_lower": 1, "num_upper": 1}, "two ends"),
        (
            "image.extract_patches",
            {"sizes": [2, 2, 2, 1], "strides": [1] * 4, "rates": [1] * 4, "padding": "SAME"},
            "axes",
        ),
        ("linalg.solve", {"rhs": X, "adjoint": True}, "adjoint"),
        ("image.resize", {"size": [2, 2], "method": "area"}, "area"),
        ("one_hot", {"depth": 3, "on_value": 2.0}, "one and zero"),
        ("linalg.norm", {"ord": 3}, "euclidean"),
        ("math.abs", {"surprise": 1}, "surprise"),
        ("tile", {"multiples": Sizes((None, 1))}, "batch"),
        ("transpose", {"perm": 3, "conjugate": True}, "conjugate"),
        ("pad", {"paddings": [[0, 0]], "mode": "WRAP"}, "no sense"),
        ("concat", {}, "not known"),
    ],
)
def test_refused_with_its_reason(function: str, kwargs: dict[str, Any], reason: str) -> None:
    """It is refused by its name, and why is said."""
    call, refused = outcome(function, *([] if "x" in kwargs else [X]), **kwargs)
    assert call is None
    assert len(refused) == 1
    assert function in refused[0]
    assert reason in refused[0]


def test_a_config_may_hold_anything() -> None:
    """A value that is no call of a function is refused, too."""
    for config in ({}, {"node_def": "["}, {"node_def": {"op": 3}}, {"node_def": {"op": "Mystery"}}):
        journal = Journal()
        assert rewritten(Args("TensorFlowOpLayer", config), Call((X,)), "f", journal) is None
        assert len(journal.refusals) == 1
    (reason,) = outcome("einsum", "abc,adc->abd")[1]
    assert reason.startswith(
        "TensorFlow's einsum: the config does not have the tensors of the call, so that Keras 2 does"
    )
    assert "--arch package.module:function" in reason


def test_the_descending_order_of_whole_numbers() -> None:
    """It is refused, as the smallest one has no negative."""
    call, refused = outcome("argsort", Tensor("i", 0, 0, (None, 4), dtype="int32"), direction="DESCENDING")
    assert call is None
    assert "whole numbers" in refused[0]


def test_tensors_of_one_number() -> None:
    """They are refused where their size is no batch's of a tensor of numbers, and where they have no input."""
    of_texts = Sizes((None, 3), batch_of=Tensor("s", 0, 0, (None, 1), "string"))
    for shape, value, reason in (
        (Sizes((None, 3)), 0, "size of a batch"),
        (Sizes((3, None), batch_of=X), 0, "size of a batch"),
        ([2, 3], 0, "without inputs"),
        (Sizes((None, 3), batch_of=X), True, "no plain number"),
        (of_texts, 1, "no plain number"),
    ):
        call, refused = outcome("fill", shape, value)
        assert call is None
        assert reason in refused[0]
