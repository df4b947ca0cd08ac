"""The graph of a model: every layer and every connection of its config, once, and what is folded or left out of it."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ckpttool.alignment.architectures import load_architecture
from ckpttool.errors import CheckpointError, ConfigError
from ckpttool.inspection.graph import ModelGraph, graph_of
from ckpttool.inspection.graph_selection import folded, matching
from ckpttool.model.config import Architecture, read_architecture
from ckpttool.model.generations.generation import Generation
from ckpttool.model.layers.table import FAMILIES
from tests.samples import FIXTURES, TRUE_FILES, live

KERAS_MODELS = ("Functional", "Model", "Sequential")
MERGED = {"Merge"}  # a Sequential model of Keras 1 with branches, which is a graph in its meaning


@cache
def architectures() -> list[tuple[str, Architecture]]:
    """Each fixture that has an architecture, by its name."""
    return list(_architectures())


def _architectures() -> Iterator[tuple[str, Architecture]]:
    for path in sorted(FIXTURES.rglob("*")):
        if path.suffix in (".keras", ".h5", ".json", ".yaml", ".pb") and "broken" not in path.parts:
            try:
                place = path.parent if path.suffix == ".pb" else path
                yield place.relative_to(FIXTURES).as_posix(), load_architecture(place)
            except CheckpointError:
                continue


def layers_in(config: Any, prefix: str = "") -> Iterator[str]:
    """The paths of the layers in a config of Keras 2 or 3, read in the plainest way."""
    inner = config.get("config", config)
    for entry in inner["layers"] if isinstance(inner, dict) else inner:
        path = f"{prefix}{entry.get('name') or entry['config']['name']}"
        yield path
        if entry["class_name"] in ("Functional", "Sequential", "Model"):
            yield from layers_in(entry, f"{path}/")


def references(argument: Any) -> Iterator[str]:
    """The names of the layers to which the calls in a node of a config refer."""
    if isinstance(argument, dict) and argument.get("class_name") == "__keras_tensor__":
        yield argument["config"]["keras_history"][0]
    elif isinstance(argument, dict):
        for member in argument.values():
            yield from references(member)
    elif (
        isinstance(argument, list)
        and len(argument) in (3, 4)
        and [type(member) for member in argument[:3]] == [str, int, int]
    ):
        yield argument[0]
        if len(argument) == 4:
            yield from references(argument[3])
    elif isinstance(argument, list):
        for member in argument:
            yield from references(member)


def connections_in(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The connections in a config of Keras 2 or 3, as pairs of paths."""
    inner = config.get("config", config)
    before = None
    for entry in inner["layers"] if isinstance(inner, dict) else inner:
        name = entry.get("name") or entry["config"]["name"]
        if config["class_name"] == "Sequential" and before is not None:
            yield f"{prefix}{before}", f"{prefix}{name}"
        for node in entry.get("inbound_nodes", ()):
            yield from ((f"{prefix}{source}", f"{prefix}{name}") for source in references(node))
        if entry["class_name"] in ("Functional", "Sequential", "Model"):
            yield from connections_in(entry, f"{prefix}{name}/")
        before = name


def pairs(graph: ModelGraph) -> Counter[tuple[str, str]]:
    """The connections of a graph as pairs of paths."""
    return Counter(
        (graph.layers[connection.source].path, graph.layers[connection.target].path) for connection in graph.connections
    )


def of(name: str) -> ModelGraph:
    """The graph of a fixture."""
    return graph_of(load_architecture(FIXTURES / name), name)


def test_every_layer_and_connection_is_there_once() -> None:
    """Over all fixtures of Keras 2 and 3: the layers of the config in its order, and a connection for each tensor.

    A Sequential model whose first layer states the input gets an InputLayer, as Keras makes one.
    """
    seen = 0
    for name, architecture in architectures():
        if architecture.generation < Generation.KERAS_2 or architecture.class_name not in KERAS_MODELS:
            continue
        graph, listed = graph_of(architecture), list(layers_in(architecture.config))
        more = {layer.path for layer in graph.layers if layer.class_name == "InputLayer"} - set(listed)
        assert [layer.path for layer in graph.layers if layer.path not in more] == listed, name
        counted = Counter({pair: count for pair, count in pairs(graph).items() if pair[0] not in more})
        assert counted == Counter(connections_in(architecture.config)), name
        seen += 1
    assert seen > 100


def test_every_generation_has_a_graph() -> None:
    """Over all fixtures: every layer of the listing is in the graph, and all connections stay inside one model."""
    generations = Counter[str]()
    for name, architecture in architectures():
        graph = graph_of(architecture)
        if not any(layer.class_name in MERGED for layer in architecture.layers):
            assert {layer.path for layer in architecture.layers if layer.path} <= {row.path for row in graph.layers}, (
                name
            )
        assert all(
            graph.layers[connection.source].model == graph.layers[connection.target].model
            for connection in graph.connections
        )
        assert all(layer.family in FAMILIES for layer in graph.layers)
        generations[architecture.generation.value] += 1
    assert len(generations) >= 4


@pytest.mark.parametrize("name", [name for name in TRUE_FILES if name.endswith((".keras", "mlp.h5", "nested.h5"))])
def test_parameters_are_those_that_keras_counts(name: str) -> None:
    """The sum over the top level is what live Keras counted."""
    try:
        graph = of(name)
    except CheckpointError:
        pytest.skip("stores no architecture")
    counted = sum(_size(weight["shape"]) for weight in live(name)["weights"] if "seed_generator" not in str(weight))
    if graph.params is not None:
        assert sum(layer.params or 0 for layer in graph.layers if layer.model is None) == graph.params
        assert graph.params == counted


def _size(shape: list[int]) -> int:
    size = 1
    for axis in shape:
        size *= axis
    return size


def test_a_shared_model_is_there_once() -> None:
    """A model that is called twice has its layers once, two connections to it, and names its ends."""
    graph = of("keras3/nested.keras")
    numbers = {layer.path: number for number, layer in enumerate(graph.layers)}
    shared = graph.layers[numbers["shared"]]
    assert (shared.calls, shared.is_model, shared.params) == (2, True, 20)
    assert (shared.inputs, shared.outputs) == ((numbers["shared/input_layer_2"],), (numbers["shared/dense"],))
    calls = [
        (connection.call, graph.layers[connection.source].path)
        for connection in graph.connections
        if connection.target == numbers["shared"]
    ]
    assert calls == [(0, "left"), (1, "right")]
    assert graph.layers[numbers["block/core/core_in"]].frozen


def test_layers_that_give_outputs_of_their_model_are_marked() -> None:
    """In every model the layers that Keras lists as its outputs, in a Sequential the last one; all that is shown."""
    graph = of("keras3/nested.keras")
    for model, numbers in graph.inside().items():
        outputs = graph.outputs if model is None else graph.layers[model].outputs
        assert {number for number in numbers if graph.layers[number].is_output} == set(outputs)
    assert [layer.path for layer in folded(graph, 1).layers if layer.is_output] == ["verdict"]


def test_models_fold() -> None:
    """Below the depth a model is one layer that says how many it hides; its parameters stay."""
    graph = of("keras3/nested.keras")
    top = folded(graph, 1)
    assert [layer.path for layer in top.layers] == [layer.path for layer in graph.layers if layer.model is None]
    block = next(layer for layer in top.layers if layer.path == "block")
    assert (block.hidden, block.params, block.inputs) == (7, 85, (None,))
    assert pairs(top) == Counter({pair: count for pair, count in pairs(graph).items() if "/" not in "".join(pair)})
    assert folded(graph, 9) == graph
    assert folded(graph, None) is graph


def test_layers_that_match_stay_connected() -> None:
    """Between two layers that match, a connection counts the hidden ones on its way; models around them stay."""
    graph = of("keras3/nested.keras")
    part = matching(graph, ["left", "verdict", "block/core/*"])
    assert [layer.path for layer in part.layers] == [
        *("left", "block", "block/core", "block/core/input_layer", "block/core/core_in", "block/core/core_out"),
        "verdict",
    ]
    over = {
        (part.layers[connection.source].path, part.layers[connection.target].path): connection.through
        for connection in part.connections
    }
    assert over["left", "block"] == 1
    assert over["block", "verdict"] == 1
    assert over["block/core/core_in", "block/core/core_out"] == 0
    with pytest.raises(CheckpointError, match="no layer matches"):
        matching(graph, ["nothing"])


def test_a_circle_is_an_error(tmp_path: Path) -> None:
    """A model whose layers wait for each other has no graph; the error names the file."""

    def layer(name: str, source: str) -> dict[str, Any]:
        return {
            "class_name": "Dense",
            "name": name,
            "config": {"name": name, "units": 1},
            "inbound_nodes": [[[source, 0, 0, {}]]],
        }

    config = {"name": "m", "layers": [layer("a", "b"), layer("b", "a")], "input_layers": [], "output_layers": []}
    architecture = read_architecture({"class_name": "Functional", "config": config})
    assert architecture is not None
    with pytest.raises(ConfigError, match="circle"):
        graph_of(architecture, "m.json")


def test_own_classes_are_not_counted(tmp_path: Path) -> None:
    """The parameters of a layer of an own class, and so of the model, are not known; those of the others are."""
    layers = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 3]}},
        {"class_name": "Mine", "config": {"name": "mine"}},
        {"class_name": "Dense", "config": {"name": "out", "units": 2}},
    ]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    graph = graph_of(load_architecture(path))
    assert [(layer.family, layer.params) for layer in graph.layers] == [("input", 0), ("own", None), ("dense", None)]
    assert graph.params is None
