"""Architectures and specs as `ls` and `info` show them: layers with the weights that they expect."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.alignment.architectures import load_spec
from ckpttool.checkpoint import Section
from ckpttool.inspection.architectures import expected_in
from ckpttool.model.spec import to_json
from tests.render.contract import HOSTILE, unsafe
from tests.samples import FIXTURES

# Whole models, whose stored weights Keras made from their own configs.
MODELS = (
    *("keras3/mlp.keras", "keras3/cnn.keras", "keras3/nested.keras", "keras3/wrappers.keras", "keras3/cnn.h5"),
    *("keras3.0/mlp.keras", "keras2.15/mlp.keras", "keras2.15/cnn.h5", "keras2.15/nested.h5", "keras2.2/cnn.h5"),
)


def architecture_of(name: str, folder: Path) -> Path:
    """The config of a fixture as a file of its own."""
    path = folder / "model.json"
    with ckpttool.open(FIXTURES / name) as checkpoint:
        path.write_text(json.dumps(checkpoint.config), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", MODELS)
def test_expects_what_is_stored(name: str, tmp_path: Path) -> None:
    """The shapes that an architecture expects are those that Keras stored for it, and a spec says the same."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        stored = Counter(weight.shape for weight in checkpoint.section(Section.MODEL) if "seed" not in weight.path)
    path = architecture_of(name, tmp_path)
    expectation = expected_in(path)
    assert expectation is not None
    slots = [slot for slot in expectation.slots if "seed" not in slot.name]
    assert Counter(slot.shape for slot in slots) == stored
    assert (expectation.kind, expectation.problem) == ("architecture", "")
    spec = tmp_path / "model.spec.json"
    spec.write_text(to_json(load_spec(path)), encoding="utf-8")
    expected = expected_in(spec)
    assert expected is not None
    assert (expected.kind, Counter(expected.slots)) == ("spec", Counter(expectation.slots))


@pytest.mark.parametrize(
    "name", ["keras0.3/cnn.json", "keras0.3/cnn.yaml", "keras1.2/cnn.yaml", "keras2.2/nested.json"]
)
@pytest.mark.parametrize("output", ["text", "json", "csv", "markdown"])
def test_every_generation_and_output(name: str, output: str, run: Callable[..., Any]) -> None:
    """Texts of every generation of Keras are listed, in every output of `ls`."""
    done = run("ls", FIXTURES / name, "-o", output)
    assert (done.code, done.err) == (0, "")
    assert "kernel" in done.out
    if output == "json":
        assert json.loads(done.out)["schema"] == "ckpttool.expected/1"


def test_info(run: Callable[..., Any]) -> None:
    """`info` tells the sums of what a model expects, for people and for programs."""
    path = FIXTURES / "keras2.15/mlp.json"
    done = run("info", path)
    assert done.code == 0
    assert "expects     4 weights, 67 parameters, 268 B" in done.out
    document = json.loads(run("info", path, "-o", "json").out)
    assert document["totals"] == {"weights": 4, "params": 67, "nbytes": 268}
    assert document["outputs"] == [{"layer": "output", "shape": [None, 3]}]


def test_layers_that_match(run: Callable[..., Any]) -> None:
    """`--match` chooses layers and weights; options that need values are wrong usage."""
    path = FIXTURES / "keras2.15/mlp.json"
    done = run("ls", path, "--match", "out*", "-o", "csv")
    assert [line.split(",")[0] for line in done.out.splitlines()] == ["layer", "output", "output"]
    assert run("ls", path, "--stats").code == 2


def test_what_is_not_known(tmp_path: Path, run: Callable[..., Any]) -> None:
    """Layers of own classes, and sizes that no input states, are told to be not known, and make no sum."""
    layers = [
        {"class_name": "Dense", "config": {"name": "first", "units": 3}},
        {"class_name": "Mine", "config": {"name": "own"}},
    ]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    done = run("ls", path)
    assert done.code == 0
    assert "(None, 3)" in done.out
    assert "only its own class knows its weights" in done.out
    assert "parameters not known" in done.out


@pytest.mark.parametrize("text", ["layers: nothing", '{"layers": 3}', '{"class_name": 1}', "class_name: [", "{"])
def test_texts_of_other_kinds(text: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    """A file that only looks like an architecture stays what the readers of checkpoints say it is."""
    path = tmp_path / "m.json"
    path.write_text(text)
    assert expected_in(path) is None
    assert run("ls", path).code == run("info", path).code == 2


@pytest.mark.parametrize("output", ["text", "json", "csv", "markdown"])
def test_hostile_names(output: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    """No name in an architecture acts on a terminal."""
    layers = [{"class_name": "Dense", "config": {"name": name, "units": 3}} for name in HOSTILE]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": HOSTILE[0], "layers": layers}}))
    assert unsafe(run("ls", path, "-o", output).out) == set()
    assert unsafe(run("info", path, "-o", "json").out) == set()
