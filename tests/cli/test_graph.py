"""`ckpttool graph`: what it prints, where, and with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from ckpttool.render.graph import GRAPH_OUTPUTS, SUFFIXES
from tests.samples import FIXTURES

NESTED = FIXTURES / "keras3/nested.keras"
MODELS = (
    *("keras3/nested.keras", "keras2.15/nested.h5", "keras2.2/cnn.h5", "keras1.2/cnn.json", "keras1.2/cnn.yaml"),
    *("keras0.3/mlp.json", "tensorflow/2.15/sequential", "keras2.15/mlp.json"),
)


@pytest.mark.parametrize("output", sorted(GRAPH_OUTPUTS))
@pytest.mark.parametrize("name", MODELS)
def test_every_generation(name: str, output: str, run: Callable[..., Any]) -> None:
    """Models and architectures of every generation have a graph in every output."""
    outcome = run("graph", FIXTURES / name, "-o", output)
    assert (outcome.code, outcome.err) == (0, "")
    assert "dense" in outcome.out.lower()


def test_the_name_of_the_file_says_the_output(run: Callable[..., Any], tmp_path: Path) -> None:
    """A file is written in the output of its suffix, or in that of --output; without either it is Mermaid."""
    plain = run("graph", NESTED).out
    assert plain == run("graph", NESTED, "--output", "mermaid").out
    for suffix, output in SUFFIXES.items():
        target = tmp_path / f"graph{suffix}"
        outcome = run("graph", NESTED, "--output-file", target)
        assert (outcome.code, outcome.out) == (0, "")
        assert target.read_text("utf-8") == run("graph", NESTED, "-o", output).out
    for name in ("graph.txt", "graph", "GRAPH.JSON"):
        assert run("graph", NESTED, "--output-file", tmp_path / name, "--output", "json").code == 0
        assert json.loads((tmp_path / name).read_text())["schema"] == "ckpttool.graph/1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "html", "--output-file", "x.svg"), "its ending says svg, and --output says html"),
        (("-o", "json", "--output-file", "x.dot"), "its ending says dot, and --output says json"),
        (("--output-file", "x.png"), "expected a name that ends in .svg, .html, .mmd"),
        (("--output-file", "x"), "or the format by --output"),
    ],
)
def test_names_that_say_no_output(
    arguments: tuple[str, ...], message: str, run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that contradicts --output, or says nothing where it is not given, is refused before any work."""
    monkeypatch.chdir(tmp_path)
    outcome = run("graph", NESTED, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in " ".join(outcome.err.split())
    assert list(tmp_path.iterdir()) == []


def test_standard_output_by_name(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard output, of every command that writes files of text."""
    monkeypatch.chdir(tmp_path)
    assert run("graph", NESTED, "-o", "dot", "--output-file", "-").out == run("graph", NESTED, "-o", "dot").out
    for command in ("report", "spec"):
        assert run(command, NESTED, "-o", "-").out == run(command, NESTED).out != ""
    assert list(tmp_path.iterdir()) == []


def test_reports_are_pages(run: Callable[..., Any], tmp_path: Path) -> None:
    """A report is refused under a name that promises another format."""
    for name in ("x.svg", "x.json", "x.pdf", "x.md"):
        outcome = run("report", NESTED, "-o", tmp_path / name)
        assert (outcome.code, outcome.out) == (2, "")
        assert "ends in .html or .htm" in " ".join(outcome.err.split())
    for name in ("x.html", "x.HTM", "x"):
        assert run("report", NESTED, "-o", tmp_path / name).code == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_inputs_are_not_written_over(run: Callable[..., Any], tmp_path: Path) -> None:
    """A graph is not written over the model, nor over any checkpoint."""
    model = tmp_path / "m.keras"
    model.write_bytes(NESTED.read_bytes())
    for target in (model, tmp_path / "other.keras"):
        (tmp_path / "other.keras").write_bytes(NESTED.read_bytes())
        assert run("graph", model, "--output-file", target).code == 2
        assert target.read_bytes() == NESTED.read_bytes()


def test_depth_and_match(run: Callable[..., Any]) -> None:
    """--depth folds models, --match leaves layers out; where nothing matches, the exit code is 2."""
    assert "7 layers inside" in run("graph", NESTED, "--depth", "1").out
    assert "subgraph" not in run("graph", NESTED, "--depth", "1").out
    assert "core_in" not in run("graph", NESTED, "--match", "verdict").out
    outcome = run("graph", NESTED, "--match", "nothing")
    assert (outcome.code, outcome.out) == (2, "")
    assert "no layer matches nothing" in outcome.err


def test_weights_have_no_graph(run: Callable[..., Any]) -> None:
    """A file without architecture is refused with what is expected."""
    outcome = run("graph", FIXTURES / "keras3/mlp.weights.h5")
    assert outcome.code == 2
    assert "stores no architecture" in outcome.err


def test_weights_with_their_architecture(run: Callable[..., Any], tmp_path: Path) -> None:
    """With --arch a file of weights has the graph of that model, and two of them show which layers changed."""
    weights, model = FIXTURES / "keras3/mlp.weights.h5", FIXTURES / "keras3/mlp.keras"
    outcome = run("graph", weights, "--arch", model)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == run("graph", model).out
    other = tmp_path / "other.weights.h5"
    other.write_bytes(weights.read_bytes())
    with h5py.File(other, "r+") as file:
        file["layers/dense_1/vars/1"][0] += 1.0
    outcome = run("graph", weights, other, "--arch", model, "-o", "json")
    assert outcome.code == 0
    changed = [layer["name"] for layer in json.loads(outcome.out)["layers"] if layer["change"] == "weights"]
    assert changed == ["output"]


def test_weights_of_another_model(run: Callable[..., Any]) -> None:
    """A warning says that the weights do not fit the architecture."""
    outcome = run("graph", FIXTURES / "keras3/mlp.weights.h5", "--arch", NESTED)
    assert outcome.code == 0
    assert "the weights do not fit this architecture" in outcome.err


def test_a_spec_has_no_graph(run: Callable[..., Any], tmp_path: Path) -> None:
    """A spec, which lists no connections, is refused with what would do."""
    spec = tmp_path / "spec.json"
    spec.write_text(run("spec", NESTED).out)
    outcome = run("graph", spec)
    assert (outcome.code, outcome.out) == (2, "")
    assert "lists weights and no connections" in outcome.err
    assert "name the whole model or its architecture" in outcome.err


def test_a_large_model_is_announced(run: Callable[..., Any], tmp_path: Path) -> None:
    """A warning says that GitHub would not draw a flowchart, and what helps."""
    layers = [{"class_name": "Dense", "config": {"name": f"d{at}", "units": 1}} for at in range(502)]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    assert "501 arrows" in run("graph", path).err
    assert run("graph", path, "-o", "dot").err == ""
