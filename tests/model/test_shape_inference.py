"""Models as graphs of layers: connections of every dialect, and connections that make no sense."""

import copy
from typing import Any

import pytest

from ckpttool.errors import ConfigError
from ckpttool.model import shape_inference
from ckpttool.model.arguments import Args
from ckpttool.model.parts import part_of
from ckpttool.model.shape_inference import is_built, steps_of
from tests.live import keras


def layer(class_name: str, name: str, *sources: str, **config: Any) -> dict[str, Any]:
    """The config of a layer in a graph of Keras 2, called once on each of the sources."""
    nodes = [[[source, 0, 0, {}]] for source in sources]
    return {"class_name": class_name, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def model(*layers: dict[str, Any], output: str = "", **config: Any) -> dict[str, Any]:
    """The config of a Functional model whose first layer is its input."""
    ends = {"input_layers": [[layers[0]["name"], 0, 0]], "output_layers": [[output or layers[-1]["name"], 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": list(layers), **ends, **config}}


def wide(size: int = 4) -> dict[str, Any]:
    """An input layer."""
    return layer("InputLayer", "x", batch_input_shape=[None, size])


def test_shapes_go_along_the_connections() -> None:
    """A layer is built for what the layer before it gives, in whatever order the config lists them."""
    dense = [layer("Dense", "b", "a", units=3), layer("Dense", "a", "x", units=5)]
    steps = {step.args.name: step for step in steps_of(Args.of(model(wide(), *dense, output="b")))}
    assert steps["a"].inputs == ((None, 4),)
    assert steps["a"].inbound == ("x",)
    assert steps["b"].inbound == ("a",)


def test_a_layer_that_is_not_there() -> None:
    """A call on a layer that the model lacks is an error that names both."""
    with pytest.raises(ConfigError, match="does not exist") as caught:
        steps_of(Args.of(model(wide(), layer("Dense", "a", "ghost", units=2))))
    assert (caught.value.where, caught.value.found) == ("a", "ghost")


def test_many_calls_are_no_accusation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph of more calls than are followed is refused with their number and with what to do."""
    monkeypatch.setattr(shape_inference, "MAX_CALLS", 1)
    with pytest.raises(ConfigError, match="called more than 1 times") as caught:
        steps_of(Args.of(model(wide(), layer("Dense", "a", "x", units=2))))
    assert "smaller model" in caught.value.hint


def test_a_circle() -> None:
    """Layers that wait for each other are an error."""
    with pytest.raises(ConfigError, match="in a circle"):
        steps_of(Args.of(model(wide(), layer("Dense", "a", "b", units=2), layer("Dense", "b", "a", units=2))))


def test_a_name_twice() -> None:
    """Two layers of one name are an error."""
    with pytest.raises(ConfigError, match="same name"):
        steps_of(Args.of(model(wide(), layer("Dense", "a", "x", units=2), layer("Dense", "a", "x", units=2))))


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        (3, "inbound_nodes is no list"),
        ("x", "inbound_nodes is no list"),
        ([3], "a node of inbound_nodes is no call"),
        ([{"args": 3}], "a node of inbound_nodes is no call"),
    ],
)
def test_connections_that_are_none(nodes: Any, why: str) -> None:
    """A value in the place of calls is refused with the reason."""
    entry = layer("Dense", "a", "x", units=2) | {"inbound_nodes": nodes}
    with pytest.raises(ConfigError, match=why):
        steps_of(Args.of(model(wide(), entry)))


def test_values_beside_the_tensors_of_a_call() -> None:
    """A call that takes a number beside a tensor, whose own number is a text, is still one step."""
    entry = layer("Dense", "a", "x", units=2) | {"inbound_nodes": [[["x", "0", 0, {}], 3]]}
    assert [step.args.name for step in steps_of(Args.of(model(wide(), entry)))] == ["x", "a"]


def test_nesting_is_not_paid_twice() -> None:
    """Sixty models inside each other are walked once each, not twice a level."""
    inner = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer("Dense", "d", units=2)]}}
    for _ in range(59):
        inner = {"class_name": "Sequential", "config": {"name": "s", "layers": [inner]}}
    args = Args.of(inner)
    part = part_of(args.class_name, args, ((None, 4),))
    for _ in range(60):
        part = part.children[0][1]
    assert part.slots[0].shape == (4, 2)


def test_built() -> None:
    """A Sequential model without the shape of an input is not built, one with it is."""
    dense = layer("Dense", "d", units=2)
    shaped = layer("Dense", "d", units=2, batch_input_shape=[None, 4])
    assert not is_built(Args.of({"class_name": "Sequential", "config": {"name": "s", "layers": [dense]}}))
    assert is_built(Args.of({"class_name": "Sequential", "config": {"name": "s", "layers": [shaped]}}))


LSTM_WITH_SHAPE = [layer("InputLayer", "i", batch_shape=[None, 3, 2]), layer("LSTM", "l", units=4)]
NESTED = {"class_name": "Sequential", "config": {"name": "inner", "layers": [layer("LSTM", "l", units=4)]}}
NESTED_WITH_SHAPE = {"class_name": "Sequential", "config": {"name": "inner", "layers": LSTM_WITH_SHAPE}}


@pytest.mark.parametrize(
    "first",
    [
        *([layer("LSTM", "l", units=4)], LSTM_WITH_SHAPE, [NESTED], [NESTED_WITH_SHAPE]),
        *([layer("GlobalMaxPooling1D", "g")], [layer("Embedding", "e", input_dim=3, output_dim=2)]),
    ],
    ids=str,
)
def test_built_as_keras_builds(first: list[dict[str, Any]]) -> None:
    """The output of a first layer, such as an LSTM, has a shape, but Keras builds by the shape of the input."""
    config = {"name": "s", "layers": [*first, layer("Dense", "d", units=2)]}
    live = keras().models.Sequential.from_config(copy.deepcopy(config))
    assert is_built(Args.of({"class_name": "Sequential", "config": config})) == live.built


def test_calls_that_keras_wrote_over() -> None:
    """A layer of two models has the calls of one of them in both, as genuine 2.15 writes it: the message names both."""
    shared = layer("Dense", "shared", "x", units=4)
    inner = {**model(wide(), shared), "name": "inner", "inbound_nodes": [[["shared", 0, 0, {}]]]}
    inner["config"]["name"] = "inner"
    start = layer("InputLayer", "z", batch_input_shape=[None, 4])
    with pytest.raises(ConfigError, match="its calls in the model inner") as refusal:
        list(steps_of(Args.of(model(start, shared, inner))))
    assert (refusal.value.where, refusal.value.found) == ("shared", "a call on x, a layer of inner")
