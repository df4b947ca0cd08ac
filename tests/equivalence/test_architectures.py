"""Architectures in JSON or YAML in the place of checkpoints of `diff`: their configs are compared."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from tests.samples import FIXTURES

OLD = FIXTURES / "keras2.15/mlp.json"


def test_the_same_architecture(run: Callable[..., Any]) -> None:
    """Equal architectures, in JSON and YAML or beside weights, are the same: exit code 0, and a note says what was
    compared."""
    for a, b in ((OLD, OLD), (OLD, FIXTURES / "keras2.15/mlp.h5"), (FIXTURES / "keras1.2/cnn.json",) * 2):
        done = run("diff", a, b)
        assert done.code == 0, (a, b)
        assert "only the configs of the models are compared" in done.out
    assert run("diff", FIXTURES / "keras1.2/cnn.yaml", FIXTURES / "keras1.2/cnn.json").code == 0


def test_generations_are_compared_by_meaning(tmp_path: Path) -> None:
    """An architecture of Keras 2 and its conversion to Keras 3 have no other settings."""
    ckpttool.convert(FIXTURES / "keras2.15/mlp.h5", tmp_path / "new.keras")
    assert ckpttool.diff(OLD, tmp_path / "new.keras").settings == ()


@pytest.mark.parametrize("output", ["text", "json", "markdown"])
def test_another_architecture(output: str, run: Callable[..., Any], tmp_path: Path) -> None:
    """Another argument is a change of the config, in every output; weights are not said to be missing."""
    other = tmp_path / "other.json"
    config = json.loads(OLD.read_text())
    config["config"]["layers"][-1]["config"]["activation"] = "elu"
    other.write_text(json.dumps(config))
    done = run("diff", OLD, other, "-o", output)
    assert done.code == 1
    assert "elu" in done.out
    result = ckpttool.diff(OLD, other)
    assert (result.differences, result.added, result.removed) == ({"config"}, (), ())


def test_weights_are_not_compared(run: Callable[..., Any]) -> None:
    """An architecture and a file of weights alone have nothing to compare: exit code 2."""
    assert run("diff", OLD, FIXTURES / "keras2.15/mlp.weights.h5").code == 2


def test_other_texts_are_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    """A text that is no architecture is refused as before."""
    text = tmp_path / "notes.json"
    text.write_text('{"a": 1}')
    done = run("diff", text, OLD)
    assert (done.code, done.out) == (2, "")
    assert "notes.json" in done.err
