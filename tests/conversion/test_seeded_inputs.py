"""Inputs on which a converted model is run, without Keras; test_inputs.py asks live models."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.prove import inputs
from ckpttool.conversion.prove.inputs import Kind, kinds_of


def test_descriptions() -> None:
    """Shape, dtype, the limit of integers, the layout."""
    assert Kind((None, 6), "int32", 12).description == "(2, 6) int32 below 12"
    assert Kind((4, None, 3), "float32", sparse=True, size=32).description == "(4, 32, 3) float32 sparse"
    assert Kind((None, None), "int64", 2, ragged=True).description == "(2, 8) int64 below 2 ragged"
    assert Kind((10_000, 3), "float32").concrete == (2, 3)
    assert Kind((), "float32").concrete == (2,)


def drawn(kind: Kind) -> Any:
    """A batch of a kind."""
    return kind.batch(np.random.default_rng(0))


def test_batches() -> None:
    """Integers are below the limit, other numbers from 0 to 1; the same seed gives the same."""
    integers, floats = drawn(Kind((None, 50), "int32", 5)), drawn(Kind((None, 50), "float16"))
    assert (integers.dtype, integers.shape, set(integers.ravel())) == (np.dtype("int32"), (2, 50), {0, 1, 2, 3, 4})
    assert (floats.dtype, len(set(floats.ravel())) > 20) == (np.dtype("float16"), True)
    assert 0 <= floats.min() < floats.max() <= 1
    assert (drawn(Kind((None, 50), "int32", 5)) == integers).all()


@pytest.fixture
def tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TensorFlow that says which of its functions was called."""
    module = SimpleNamespace(
        constant=lambda values: ("constant", values),
        sparse=SimpleNamespace(from_dense=lambda values: ("sparse", values)),
        RaggedTensor=SimpleNamespace(from_tensor=lambda values, lengths: ("ragged", values, lengths)),
    )
    monkeypatch.setattr(inputs.importlib, "import_module", {"tensorflow": module}.__getitem__)


@pytest.mark.usefixtures("tensorflow")
def test_tensors_of_tensorflow() -> None:
    """Texts, sparse and ragged batches are tensors of TensorFlow; rows of a ragged one differ in length."""
    name, texts = drawn(Kind((None, 40), "string"))
    assert (name, texts.shape, set(texts.ravel())) == ("constant", (2, 40), {"red", "two fish", ""})
    assert drawn(Kind((None, 3), "float32", sparse=True))[0] == "sparse"
    name, values, lengths = drawn(Kind((3, None), "float32", ragged=True))
    assert (name, values.shape, lengths) == ("ragged", (3, 8), [8, 7, 7])
    assert drawn(Kind((None,), "float32", ragged=True)).shape == (2,)


class Layer:
    """A layer that takes tensors."""

    def __init__(self, *taken: Any, **attributes: Any) -> None:
        self._inbound_nodes = [SimpleNamespace(input_tensors=list(taken))]
        self.__dict__.update(attributes)


class Embedding(Layer):
    """A layer of that name, as Keras has one."""


class CategoryEncoding(Layer):
    """A layer of that name, as Keras has one."""


def tensor(*shape: int | None, dtype: Any = "float32", **layout: bool) -> Any:
    """A symbolic tensor."""
    return SimpleNamespace(shape=shape, dtype=dtype, **layout)


def model(*tensors: Any, layers: list[Layer]) -> Any:
    """A model with these inputs and layers."""
    return SimpleNamespace(inputs=list(tensors), operations=layers)


def test_kinds_follow_from_the_layers_that_take_an_input() -> None:
    """The smallest limit of these counts; other integers are 0 and 1, which every layer accepts."""
    indices, numbers, categories = tensor(None, 3), tensor(None, 4, sparse=True), tensor(None, 1, dtype="int64")
    flags, labels = tensor(None, 2, dtype=SimpleNamespace(name="bool")), tensor(None, 1, dtype="string", ragged=True)
    layers = [
        Embedding(indices, input_dim=9),
        Embedding(indices, input_dim=5),
        Layer(numbers),
        CategoryEncoding(categories, num_tokens=4),
        Embedding(labels, input_dim=3),
    ]
    assert kinds_of(model(indices, numbers, categories, flags, labels, layers=layers)) == [
        Kind((None, 3), "float32", 5),
        Kind((None, 4), "float32", sparse=True),
        Kind((None, 1), "int64", 4),
        Kind((None, 2), "bool", 2),
        Kind((None, 1), "string", ragged=True),
    ]


@pytest.mark.parametrize("size", [None, 0, "many"])
def test_a_layer_without_a_limit(size: Any) -> None:
    """A limit that is no number above 0 is none."""
    indices = tensor(None, 3)
    assert kinds_of(model(indices, layers=[Embedding(indices, input_dim=size)])) == [Kind((None, 3), "float32", 2)]


def test_layers_of_models_inside() -> None:
    """An input that goes to a model inside is of the kind of that model's own input."""
    first, second = tensor(None, 2), tensor(None, 3)
    inside = model(first, second, layers=[Layer(first), Embedding(second, input_dim=7)])
    outer, other = tensor(None, 3), tensor(None, 2)
    sequential = Layer(other, outer, _functional=inside)
    assert kinds_of(model(outer, layers=[sequential])) == [Kind((None, 3), "float32", 7)]
    assert kinds_of(model(other, layers=[sequential])) == [Kind((None, 2), "float32")]


def test_models_of_own_classes() -> None:
    """A model without a graph says for which shapes it was built, if it was."""
    for shapes, expected in (([None, 3], [(None, 3)]), ([[None, 3], [None, 1]], [(None, 3), (None, 1)])):
        own: Any = SimpleNamespace(get_build_config=lambda shapes=shapes: {"input_shape": shapes})
        assert kinds_of(own) == [Kind(shape, "float32") for shape in expected]
    own = SimpleNamespace(inputs=[tensor(None, 3)])
    assert kinds_of(own) == [Kind((None, 3), "float32")]
    for settings in (None, {}):
        with pytest.raises(ValueError, match="whose inputs are not known"):
            kinds_of(SimpleNamespace(get_build_config=lambda settings=settings: settings))
