"""Models of `multi_gpu_model`, of which the one model inside is written."""

from copy import deepcopy
from typing import Any

import pytest

from ckpttool.conversion.config import multi_gpu
from ckpttool.conversion.journal import Journal
from ckpttool.model import Architecture, read_architecture

Layers = dict[str, dict[str, Any]]


def layer(class_name: str, name: str, *calls: list[list[Any]], **config: Any) -> dict[str, Any]:
    """A layer of a Functional model, called on these tensors."""
    return {"class_name": class_name, "name": name, "config": {"name": name, **config}, "inbound_nodes": list(calls)}


def at(name: str, node: int = 0, output: int = 0) -> list[Any]:
    """A tensor."""
    return [name, node, output, {}]


def parallel(count: int = 2, first: int = 1) -> Layers:
    """The layers of a model with two inputs and two outputs on so many devices, by their names; `first` is the number
    of its first call there."""
    dense = layer("Dense", "dense", [at("a"), at("b")], units=2)
    ends = {"input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["dense", 0, 0], ["dense", 0, 0]]}
    single = {"layers": [layer("InputLayer", "a"), layer("InputLayer", "b"), dense], **ends}
    slices = [
        layer("Lambda", f"slice_{name}{device}", [at(name)], arguments={"i": device, "parts": count})
        for device in range(count)
        for name in ("x", "y")
    ]
    calls = [[at(f"slice_x{device}"), at(f"slice_y{device}")] for device in range(count)]
    joins = [
        layer("Concatenate", f"join{output}", [at("single", first + device, output) for device in range(count)], axis=0)
        for output in (0, 1)
    ]
    inputs = [layer("InputLayer", name, batch_input_shape=[None, 3]) for name in ("x", "y")]
    listed = [*inputs, *slices, layer("Model", "single", *calls, **single), *joins]
    return {entry["name"]: entry for entry in listed}


def architecture(layers: Layers, *outputs: str) -> Architecture:
    """The architecture of a model of these layers."""
    ends = {
        "input_layers": [["x", 0, 0], ["y", 0, 0]],
        "output_layers": [[name, 0, 0] for name in outputs or ("join0", "join1")],
    }
    read = read_architecture({"class_name": "Model", "config": {"name": "p", "layers": list(layers.values()), **ends}})
    assert read is not None
    return read


@pytest.mark.parametrize(("count", "first"), [(2, 1), (3, 1), (2, 0)])
def test_the_model_inside_is_written(count: int, first: int) -> None:
    """One model that is called for each device on the slices of all inputs is the model itself."""
    journal = Journal()
    single = multi_gpu.single_architecture(architecture(parallel(count, first)), journal)
    assert (single.name, [each.name for each in single.layers]) == ("single", ["a", "b", "dense"])
    assert [(edit.edit.name, edit.where, edit.detail) for edit in journal.edits] == [
        ("strip-towers", "p", "the model single")
    ]
    multi_gpu.note("single", journal)
    assert journal.guesses == []


def test_a_guess_without_a_config_that_shows_it() -> None:
    """Weights that are all in one layer are taken for such a model's, as a guess."""
    journal = Journal()
    multi_gpu.note("", journal)
    assert journal.guesses == []
    multi_gpu.note("model_1", journal)
    assert [guess.what[:42] for guess in journal.guesses] == ["all weights are in one model, model_1, and"]


def swap_slices(layers: Layers) -> None:
    """The devices take each other's slices."""
    layers["single"]["inbound_nodes"].reverse()


def swap_parts(layers: Layers) -> None:
    """The parts of an output are joined the other way round."""
    layers["join1"]["inbound_nodes"][0].reverse()


def swap_outputs(layers: Layers) -> None:
    """The outputs are joined in another order."""
    for name, output in (("join0", 1), ("join1", 0)):
        layers[name]["inbound_nodes"] = [[at("single", 1 + device, output) for device in (0, 1)]]


def other_parts(layers: Layers) -> None:
    """A slice is of another number of parts."""
    layers["slice_x1"]["config"]["arguments"]["parts"] = 3


def other_source(layers: Layers) -> None:
    """A slice is of another input."""
    layers["slice_x1"]["inbound_nodes"] = [[at("y")]]


def called_twice(layers: Layers) -> None:
    """A slice is made twice."""
    layers["slice_x1"]["inbound_nodes"].append([at("y")])


def more_slices(layers: Layers) -> None:
    """A slice goes nowhere."""
    layers["more"] = layer("Lambda", "more", [at("x")], arguments={"i": 2, "parts": 2})


def more_layers(layers: Layers) -> None:
    """There is a layer of another kind."""
    layers["more"] = layer("Dense", "more", [at("join0")], units=1)


def other_axis(layers: Layers) -> None:
    """The parts are joined along another axis."""
    layers["join1"]["config"]["axis"] = 1


def one_device(layers: Layers) -> None:
    """There is one device."""
    layers.update(parallel(1))
    del layers["slice_x1"], layers["slice_y1"]


CHANGES = [
    swap_slices, swap_parts, swap_outputs, other_parts, other_source, called_twice, more_slices, more_layers,
    other_axis, one_device,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_other_patterns_stay(change: Any) -> None:
    """A model that only resembles one of `multi_gpu_model` stays as it is."""
    layers = deepcopy(parallel())
    change(layers)
    journal = Journal()
    before = architecture(layers)
    assert multi_gpu.single_architecture(before, journal) is before
    assert not journal.edits


def test_models_without_a_graph_stay() -> None:
    """A Sequential model has no slices."""
    read = read_architecture({"class_name": "Sequential", "config": [layer("Dense", "dense", units=2)]})
    assert read is not None
    assert multi_gpu.single_architecture(read, Journal()) is read


def test_all_outputs_are_joined() -> None:
    """Outputs in another order than they are joined are those of another model."""
    before = architecture(parallel(), "join1", "join0")
    assert multi_gpu.single_architecture(before, Journal()) is before
