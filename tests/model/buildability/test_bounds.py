"""Whether Keras builds a config: hostile values and graphs give an answer, in bounded time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.model.buildability import (
    buildability_of_h5,
    buildability_of_json,
    buildability_of_keras,
    functional,
)
from ckpttool.model.buildability.context import MAX_CALLS
from tests.model.buildability import live_constructors
from tests.model.buildability.test_loaders import layer, sequential

LOADERS = (buildability_of_h5, buildability_of_json, buildability_of_keras)


def tensor(name: str, node: int = 0) -> dict[str, Any]:
    """A tensor in a call, as Keras 3 writes it."""
    config = {"shape": [None, 8, 8, 3], "dtype": "float32", "keras_history": [name, node, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def node(entry: dict[str, Any], *calls: Any) -> dict[str, Any]:
    """A layer of a graph with its calls."""
    called = [{"args": [call], "kwargs": {}} for call in calls]
    return {**entry, "name": entry["config"]["name"], "inbound_nodes": called}


def twice(inner: dict[str, Any], name: str, in_a_row: bool, shape: list[int | None]) -> dict[str, Any]:
    """A model that calls another one twice: on its own output, or on the same input."""
    start = node(layer("InputLayer", name="x", batch_shape=shape, dtype="float32"))
    inner_name = inner["config"]["name"]
    if in_a_row:
        layers = [node(inner, tensor("x"), tensor(inner_name)), node(layer("ReLU", name="end"), tensor(inner_name, 1))]
    else:
        layers = [
            node(inner, tensor("x"), tensor("x")),
            node(layer("Add", name="end"), [tensor(inner_name), tensor(inner_name, 1)]),
        ]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["end", 0, 0]]}
    return layer("Functional", "keras.src.models.functional", name=name, layers=[start, *layers], **ends)


@pytest.mark.parametrize("in_a_row", [False, True])
def test_models_in_models(in_a_row: bool) -> None:
    """28 models in each other, each called twice, are 2**28 calls, which nobody follows: the same ones are followed
    once, and others up to a number that is said."""
    model = layer("ZeroPadding2D", name="m0", padding=1) if in_a_row else layer("ReLU", name="m0")
    for depth in range(1, 28):
        model = twice(model, f"m{depth}", in_a_row, [None, None, None, 3])
    answer = buildability_of_json(twice(model, "whole", in_a_row, [None, 8, 8, 3]))
    assert [f"{MAX_CALLS:,}" in obstacle.why for obstacle in answer.obstacles] == [True] * in_a_row


def chain(length: int) -> dict[str, Any]:
    """A model of layers in a row, as Keras 3 writes it."""
    start = node(layer("InputLayer", name="d0", batch_shape=[None, 8], dtype="float32"))
    rest = [node(layer("ReLU", name=f"d{n}"), tensor(f"d{n - 1}")) for n in range(1, length)]
    ends = {"input_layers": [["d0", 0, 0]], "output_layers": [[f"d{length - 1}", 0, 0]]}
    return layer("Functional", "keras.src.models.functional", name="m", layers=[start, *rest], **ends)


def test_a_chain_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that is listed from its end connects, and each of its calls is looked at twice: when its layer is met,
    and when its tensor is there."""
    model, looked_at, look = chain(200), [], functional._Graph._run
    model["config"]["layers"].reverse()
    monkeypatch.setattr(functional._Graph, "_run", lambda *args: looked_at.append(args) or look(*args))
    answer = buildability_of_json(model)
    assert answer.builds, answer.obstacles
    assert len(looked_at) <= 2 * 200


def test_a_loop_of_calls() -> None:
    """Layers whose calls wait for each other are named, in the order of the config."""
    model = chain(4)
    model["config"]["layers"][1] = node(layer("ReLU", name="d1"), tensor("d3"))
    answer = buildability_of_json(model)
    assert "calls of d1, d2, d3 take tensors that no layer gives out" in answer.obstacles[0].why


def test_calls_in_turns() -> None:
    """Two layers that call one another in turns connect."""
    model = chain(3)
    one = node(layer("ReLU", name="d1"), tensor("d0"), tensor("d2"), tensor("d2", 1))
    other = node(layer("ReLU", name="d2"), tensor("d1"), tensor("d1", 1), tensor("d1", 2))
    model["config"]["layers"][1:] = [other, one]
    model["config"]["output_layers"] = [["d2", 2, 0]]
    answer = buildability_of_json(model)
    assert answer.builds, answer.obstacles


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(
        [10**400, -(10**400), 2**63, "\ud800", "²", "٣", "gptq/4/²_from_float32", "int4/²", "-", "", "a/b"]
    ),
    st.text(max_size=4),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
RECORD = live_constructors.record()
PLACES = [
    (place, key) for place, known in sorted(RECORD.items()) for key in sorted(known["base"]) if known["kind"] == "layer"
]


@given(st.sampled_from(PLACES), VALUES, st.integers(1, 4))
def test_any_argument(place: tuple[str, str], value: Any, axes: int) -> None:
    """Any value of any argument of any layer gives an answer."""
    path, key = place
    module, _, name = path.rpartition(".")
    config = {**RECORD[path]["base"], key: value}
    start = layer("InputLayer", name="x", batch_shape=[None, 6, 6, 6, 4][: axes + 1], dtype="float32")
    _answers(sequential(start, layer(name, module, **config)))


@given(st.recursive(VALUES, lambda inner: st.fixed_dictionaries({"class_name": inner, "config": inner}), max_leaves=5))
def test_any_value(value: Any) -> None:
    """Any value anywhere gives an answer."""
    _answers({"module": value, "class_name": "Dense", "config": {"units": 2}, "registered_name": value})
    _answers(sequential(layer("Dense", name="d", units=2), compile_config={"optimizer": value, "loss": value}))
    _answers({"class_name": "Sequential", "config": {"name": value, "layers": [value]}})


@pytest.mark.parametrize("opening", ["[", '{"class_name": "Sequential", "config": '])
def test_deep(opening: str) -> None:
    """Values nested as deeply as JSON may be give an answer."""
    value: Any = 1
    for _ in range(900):
        value = [value] if opening == "[" else {"class_name": "Sequential", "config": value}
    deep = sequential(layer("Dense", name="d", units=value))
    _answers(deep)
    _answers(value)
    assert not buildability_of_json(deep).builds


def test_long() -> None:
    """A million elements are looked at once, and named by their number."""
    answer = buildability_of_json(sequential(layer("Dense", name="d", units=[0] * 1_000_000)))
    assert [obstacle.why for obstacle in answer.obstacles] == [
        "it is a list of 1000000; Keras takes a positive whole number"
    ]


def _answers(config: Any) -> None:
    """Check that every loader answers, with reasons that can be shown: short, and not empty."""
    for ask in LOADERS:
        answer = ask(config)
        reasons = [obstacle.why for obstacle in (*answer.obstacles, *answer.compile_obstacles, *answer.misread)]
        assert all(0 < len(reason) < 1000 for reason in reasons), reasons
        assert answer.builds is not bool(answer.obstacles)
