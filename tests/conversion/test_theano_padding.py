"""`same` padding of Theano: what pads a layer as it did, and which layers are refused, by the formulas of Keras 1 and
2; test_removed_layers.py compares predictions of genuine Theano."""

from typing import Any

import pytest

from ckpttool.conversion.config import theano_padding
from ckpttool.conversion.config.rewriter import Rewritten, rewrite
from ckpttool.conversion.journal import Applied, Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from tests.conversion.of_generation import of_generation


def args(class_name: str, **config: Any) -> Args:
    """A layer with `same` padding."""
    return Args(class_name, {"name": "c", "padding": "same", **config})


PADS: list[tuple[Args, tuple[int | None, ...] | None, list[list[int]] | None]] = [
    (args("Conv2D", kernel_size=[3, 3], strides=[1, 1]), (None, 6, 6, 3), None),
    (args("Conv2D", kernel_size=[2, 4], strides=[1, 1]), (None, 6, 6, 3), [[1, 0], [2, 1]]),
    (args("Conv2D", kernel_size=3, strides=2), (None, 6, 6, 3), [[1, 1], [1, 1]]),
    (args("Conv2D", kernel_size=3, strides=2), (None, 5, 5, 3), None),
    (args("Conv2D", kernel_size=3, strides=2, data_format="channels_first"), (None, 3, 6, 5), [[1, 1], [1, 1]]),
    (args("Conv2D", kernel_size=3, strides=2, data_format="channels_first"), (None, 6, 5, 5), None),
    (args("Conv1D", kernel_size=[2], dilation_rate=[2]), (None, 9, 1), None),
    (args("Conv1D", kernel_size=[4], dilation_rate=[3]), (None, 40, 1), [[5, 4]]),
    (args("Conv1D", kernel_size=[3]), (None, None, 1), None),
    (args("Conv1D", kernel_size=[2]), (None, None, 1), [[1, 0]]),
    (args("Conv1D", kernel_size=[3], strides=[2]), None, [[1, 1]]),
    (args("Conv1D", kernel_size=[2]), (None, 1), [[1, 0]]),
    (Args("Conv1D", {"name": "c", "padding": "valid", "kernel_size": [2]}), (None, 9, 1), None),
    (args("Dense", units=2), (None, 9), None),
]


@pytest.mark.parametrize(("layer", "shape", "expected"), PADS, ids=str)
def test_pads(layer: Args, shape: Any, expected: Any) -> None:
    """Half a window goes before the input, the rest of it less one behind; None where Keras 3 pads as much before."""
    assert theano_padding.pads(layer, shape) == expected


REFUSED: list[tuple[Args, tuple[int | None, ...], bool]] = [
    (args("Conv2DTranspose", kernel_size=3, strides=1), (None, 6, 6, 3), False),
    (args("Conv2DTranspose", kernel_size=3, strides=2), (None, 6, 6, 3), True),
    (args("Conv2DTranspose", kernel_size=3, strides=2, output_padding=0), (None, 6, 6, 3), False),
    (args("Conv2DTranspose", kernel_size=3, strides=2, output_padding=[1, 1]), (None, 6, 6, 3), True),
    (args("ConvLSTM2D", kernel_size=[3, 2]), (None, 4, 6, 6, 3), True),
    (args("ConvLSTM2D", kernel_size=[3, 3]), (None, 4, 6, 6, 3), False),
    (args("SeparableConv2D", kernel_size=2), (None, 6, 6, 3), True),
    (args("SeparableConv2D", kernel_size=3), (None, 6, 6, 3), False),
    (args("MaxPooling2D", pool_size=3, strides=1), (None, 5, 5, 3), False),
    (args("MaxPooling2D", pool_size=4, strides=1), (None, 5, 5, 3), True),
    (args("MaxPooling2D", pool_size=2), (None, 6, 6, 3), True),
    (args("AveragePooling1D", pool_size=3, strides=2), (None, 6, 3), True),
    (args("AveragePooling1D", pool_size=1), (None, 5, 3), False),
    (args("Dense", units=1), (None, 5), False),
]


@pytest.mark.parametrize(("layer", "shape", "is_refused"), REFUSED, ids=str)
def test_refused(layer: Args, shape: Any, is_refused: bool) -> None:
    """Layers that no layer before them can make right are refused: shifted outputs, padded states, windows of pools."""
    reason = theano_padding.refused(layer, shape)
    assert (reason is not None) == is_refused
    assert reason is None or reason.startswith(f"{layer.class_name} as Theano padded for 'same'")


def converted(**config: Any) -> tuple[Rewritten, Journal]:
    """A model of Keras 2.2 on Theano with one layer, for Keras 3."""
    layer = {"class_name": "Conv1D", "config": {"name": "c", "batch_input_shape": [None, 8, 2], "filters": 3, **config}}
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}
    journal = Journal()
    origin = Origin("2.2.4", theano=True)
    return rewrite(of_generation(model, Generation.KERAS_2), journal, origin=origin), journal


def padding_edits(journal: Journal) -> list[Applied]:
    """The layers that got one before them."""
    return [applied for applied in journal.edits if applied.edit == theano_padding.WRITE_PADDING]


def test_a_layer_that_pads_comes_before_it() -> None:
    """The convolution becomes a model of its name, with the zeros first; its weights follow it there."""
    rewritten, journal = converted(kernel_size=[4], padding="same", strides=[1])
    model = rewritten.config["config"]["layers"][-1]
    zeros, convolution = model["config"]["layers"]
    assert (model["class_name"], model["config"]["name"]) == ("Sequential", "c")
    assert (zeros["class_name"], zeros["config"]["padding"]) == ("ZeroPadding1D", [2, 1])
    assert (convolution["config"]["name"], convolution["config"]["padding"]) == ("c_valid", "valid")
    assert convolution["config"]["kernel_size"] == [4]
    assert rewritten.weights["c/kernel"] == "c/c_valid/kernel"
    assert rewritten.weights["c/bias"] == "c/c_valid/bias"
    assert [(edit.where, edit.detail) for edit in padding_edits(journal)] == [("c", "[[2, 1]]")]


def test_a_layer_of_two_axes_pads_both() -> None:
    """The zeros of two axes are a list of two, in the data format of the convolution."""
    layer = args("Conv2D", kernel_size=[2, 4], data_format="channels_first")
    zeros = theano_padding.zeros(layer, [[1, 0], [2, 1]])
    assert zeros.class_name == "ZeroPadding2D"
    assert zeros.config == {"name": "c_zeros", "padding": [[1, 0], [2, 1]], "data_format": "channels_first"}


def test_other_windows_stay() -> None:
    """A window of an odd width with a stride of 1 is padded as in Keras 3."""
    rewritten, journal = converted(kernel_size=[3], padding="same", strides=[1])
    assert rewritten.config["config"]["layers"][-1]["class_name"] == "Conv1D"
    assert not padding_edits(journal)
