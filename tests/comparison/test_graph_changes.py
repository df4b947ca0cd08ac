"""The graph of two models: what was added, removed, changed in config or weights, each layer and connection once."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import ModelGraph
from tests.samples import FIXTURES

NESTED = FIXTURES / "keras3/nested.keras"


def config_of(path: Path) -> Any:
    """The config of a model."""
    with ckpttool.open(path) as checkpoint:
        return copy.deepcopy(checkpoint.config)


def written(path: Path, config: Any) -> Path:
    """A config as an architecture file."""
    path.write_text(json.dumps(config))
    return path


def changes(graph: ModelGraph) -> dict[str, str]:
    """The changed layers by path."""
    return {layer.path: layer.change for layer in graph.layers if layer.change}


def edges(graph: ModelGraph, change: str) -> list[tuple[str, str]]:
    """The connections with a change as pairs of paths."""
    ends = ((graph.layers[x.source].path, graph.layers[x.target].path) for x in graph.connections if x.change == change)
    return sorted(ends)


def edited() -> Any:
    """The nested model with another activation inside, a layer between two others, and without the Add."""
    config = config_of(NESTED)
    layers = {layer["name"]: layer for layer in config["config"]["layers"]}
    block = {layer["config"]["name"]: layer for layer in layers["block"]["config"]["layers"]}
    inner = {layer["name"]: layer for layer in block["core"]["config"]["layers"]}
    inner["core_out"]["config"]["activation"] = "tanh"
    drop = copy.deepcopy(layers["verdict"])
    drop |= {"class_name": "Dropout", "name": "drop", "config": {"name": "drop", "rate": 0.5}}
    drop["inbound_nodes"] = copy.deepcopy(layers["verdict"]["inbound_nodes"])
    drop["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["block", 0, 0]
    layers["verdict"]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["drop", 0, 0]
    rest = [layer for layer in config["config"]["layers"] if layer["name"] not in ("add", "verdict")]
    config["config"]["layers"] = [*rest, drop, layers["verdict"]]
    return config


def test_layers_and_connections_that_changed(tmp_path: Path) -> None:
    """Of two architectures: added and removed layers with their connections, and a changed argument inside a model."""
    a, b = written(tmp_path / "a.json", config_of(NESTED)), written(tmp_path / "b.json", edited())
    graph = ckpttool.graph(a, b)
    kinds = changes(graph)
    assert kinds.pop("verdict") == "config"  # it takes another input
    assert kinds == {
        "drop": "added",
        "add": "removed",
        "block": "config",
        "block/core": "config",
        "block/core/core_out": "config",
    }
    assert edges(graph, "added") == [("block", "drop"), ("drop", "verdict")]
    assert edges(graph, "removed") == [("add", "verdict"), ("block", "add"), ("shared", "add")]
    assert (graph.path, graph.other) == (str(b), str(a))
    back = ckpttool.graph(b, a)
    assert {path for path, change in changes(back).items() if change == "added"} == {"add"}
    assert edges(back, "added") == edges(graph, "removed")


def test_equal_models_have_no_change() -> None:
    """A model compared with itself has the graph that it has alone."""
    graph = ckpttool.graph(NESTED, NESTED)
    assert changes(graph) == {}
    alone = ckpttool.graph(NESTED)
    assert (graph.layers, graph.connections) == (alone.layers, alone.connections)


def test_changed_weights(tmp_path: Path) -> None:
    """Weights of other values mark their layers, and a file and its conversion have no change but by their form."""
    new = tmp_path / "new.keras"
    ckpttool.convert(FIXTURES / "keras2.15/mlp.h5", new)
    assert changes(ckpttool.graph(FIXTURES / "keras2.15/mlp.h5", new)) == {}
    base, tuned = FIXTURES / "tuned/base.keras", FIXTURES / "tuned/tuned.keras"
    kinds = changes(ckpttool.graph(base, tuned))
    moved = {pair.b.layer for pair in ckpttool.diff(base, tuned).changed}
    assert moved
    assert {path for path, change in kinds.items() if "weights" in change} >= moved


def test_renamed_layers_are_one(tmp_path: Path) -> None:
    """A layer with another name is changed, not removed and added."""
    config = json.loads(json.dumps(config_of(NESTED)).replace('"verdict"', '"answer"'))
    graph = ckpttool.graph(written(tmp_path / "a.json", config_of(NESTED)), written(tmp_path / "b.json", config))
    assert changes(graph) == {"answer": "config"}
    assert edges(graph, "added") == edges(graph, "removed") == []


def test_generations_are_compared_by_meaning(tmp_path: Path) -> None:
    """The same model of Keras 2.2 and of Keras 3 in different words has no changed layer."""
    new = tmp_path / "new.keras"
    ckpttool.convert(FIXTURES / "keras2.2/cnn.h5", new)
    assert changes(ckpttool.graph(FIXTURES / "keras2.2/cnn.h5", new)) == {}


def test_weights_alone_have_no_graph() -> None:
    """A side without architecture is an error that names it."""
    with pytest.raises(ckpttool.CheckpointError, match=r"mlp.weights.h5: stores no architecture"):
        ckpttool.graph(FIXTURES / "keras3/mlp.keras", FIXTURES / "keras3/mlp.weights.h5")


@pytest.mark.parametrize("output", ["svg", "mermaid", "dot"])
def test_golden(output: str, run: Callable[..., Any], golden: Callable[[str, str], None], tmp_path: Path) -> None:
    """The picture of changes looks as it did."""
    a, b = written(tmp_path / "a.json", config_of(NESTED)), written(tmp_path / "b.json", edited())
    done = run("graph", a, b, "--output", output)
    assert (done.code, "only the configs" in done.err) == (0, True)
    golden(f"graph-changes.{output}", done.out)
