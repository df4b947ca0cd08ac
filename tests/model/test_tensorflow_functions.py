"""TensorFlow functions in graphs of Keras 2: the shapes that Keras 2.15 gave, and the work of the operations of Keras 3
that they stand for."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion.config.rewriter import rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.inspection.cost import cost_of
from ckpttool.model.architecture_parts import model_args
from ckpttool.model.config import Architecture, read_architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.shape_inference import outputs_of
from ckpttool.model.sizes import MAX_SIZE
from tests.conversion.of_generation import of_generation
from tests.samples import FIXTURES

MODELS = json.loads((FIXTURES / "operations" / "keras2.15.json").read_text())


# Numbers from sizes, which Keras 2 computes in each run by one or two operations, and the new model has in its config.
FROM_SIZES = frozenset({"attention_by_size", "divided_by_size", "reshape_number", "scaled_by_size"})
UNKNOWN_SHAPE = "reshape_number"  # by a size that becomes a floating-point number, which is not followed


@pytest.fixture(scope="module")
def recorded() -> Iterator[Any]:
    """The inputs and the outputs of Keras 2.15."""
    with np.load(FIXTURES / "operations" / "keras2.15.npz") as arrays:
        yield arrays


def architecture(config: object) -> Architecture:
    """The architecture in a config."""
    read = read_architecture(config)
    assert read is not None
    return read


@pytest.mark.parametrize("case", sorted(MODELS))
def test_shapes(case: str, recorded: Any) -> None:
    """The output has the shape that Keras 2.15 gave for these inputs, or is not known."""
    model = MODELS[case]
    call = Call(tuple(Tensor("", 0, 0, recorded[f"in/{name}"].shape) for name in model["inputs"]))
    shape = None if case == UNKNOWN_SHAPE else recorded[f"out/{case}"].shape
    assert outputs_of(model_args(architecture(model["config"])), call) == (shape,)


@pytest.mark.parametrize("case", sorted(MODELS))
def test_work(case: str) -> None:
    """The model costs as much as the one of Keras 3 that computes the same, and all of it is counted where that is."""
    old, journal = architecture(MODELS[case]["config"]), Journal()
    new = architecture(rewrite(of_generation(old.config, Generation.KERAS_2), journal).config)
    assert journal.refusals == []
    cost, expected = cost_of(old), cost_of(new)
    assert cost.macs == expected.macs
    assert cost.flops - expected.flops in ((1, 2) if case in FROM_SIZES else (0,))
    assert bool(cost.unknown) == bool(expected.unknown or case == UNKNOWN_SHAPE)


def function(name: str, of: str, call: list[Any], **config: Any) -> dict[str, Any]:
    """A layer that calls a function of TensorFlow, as Keras 2.4 to 2.15 write it."""
    entry = {"class_name": "TFOpLambda", "config": {"name": name, "function": of, "dtype": "float32", **config}}
    return {**entry, "name": name, "inbound_nodes": [call]}


def functional(shape: list[Any], *layers: dict[str, Any]) -> Architecture:
    """A model of one input and some functions, the last of which gives the output."""
    config = {"batch_input_shape": shape, "name": "x", "dtype": "float32"}
    first = {"class_name": "InputLayer", "name": "x", "config": config, "inbound_nodes": []}
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    return architecture({"class_name": "Functional", "config": {"name": "m", "layers": [first, *layers], **ends}})


def test_shapes_that_the_graph_computes() -> None:
    """A reshape to sizes that another function reads off a tensor has these; what follows is counted."""
    sizes = function("sizes", "compat.v1.shape", ["x", 0, 0, {}])
    part = {**function("part", "", ["sizes", 0, 0, {"slice_spec": 0}]), "class_name": "SlicingOpLambda"}
    part["config"]["function"] = "__operators__.getitem"
    flat = function("flat", "reshape", ["x", 0, 0, {"shape": [["part", 0, 0], 12]}])
    after = function("after", "math.tanh", ["flat", 0, 0, {}])
    cost = cost_of(functional([None, 4, 3], sizes, part, flat, after))
    assert (cost.unknown, cost.unsized) == ((), ())
    assert cost.by_layer()["after"].flops == 12
    assert cost_of(functional([None, 4, 3], sizes, part, flat, after), [(5, 4, 3)]).by_layer()["after"].flops == 60


def test_sizes_do_not_grow() -> None:
    """Sizes that are joined or multiplied again and again stay within what a shape can have."""
    for name, kwargs in (("concat", {"axis": 0}), ("math.multiply", {})):
        layers = [function("l0", "compat.v1.shape", ["x", 0, 0, {}])]
        if name == "math.multiply":
            layers.append(function("l1", "__operators__.getitem", ["l0", 0, 0, {"slice_spec": 1}]))
        for at in range(len(layers), 90):
            last = [f"l{at - 1}", 0, 0]
            call = [[*last, kwargs], [*last, kwargs]] if name == "concat" else [*last, {"y": last}]
            layers.append(function(f"l{at}", name, call))
        args = model_args(functional([None, MAX_SIZE], *layers))
        assert outputs_of(args, Call()) in ((None,), ((),), ())
