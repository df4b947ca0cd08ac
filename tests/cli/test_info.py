"""`ckpttool info`: what it prints, where, and with which exit code."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ckpttool.render import INFO_OUTPUTS
from tests.loops import for_each
from tests.samples import FIXTURES, TRUE_FILES, keras_like

MODEL = FIXTURES / "keras3/mlp.keras"


@for_each([name for name in TRUE_FILES if "npz" not in name])
def test_every_fixture(name: str, run: Callable[..., Any]) -> None:
    """Each sound fixture is described with exit code 0; its lines have one form."""
    outcome = run("info", FIXTURES / name)
    assert outcome.code == 0
    assert outcome.out.startswith("path")
    assert f"{FIXTURES / name}\n" in outcome.out
    assert all("  " in line for line in outcome.out.splitlines())


@pytest.mark.parametrize("output", sorted(INFO_OUTPUTS))
def test_outputs(output: str, run: Callable[..., Any]) -> None:
    """Each output can be asked for by its long and its short option."""
    long, brief = run("info", MODEL, "--output", output), run("info", MODEL, "-o", output)
    assert (long.code, long.err) == (0, "")
    assert long == brief
    assert "3.15.1" in long.out


def test_json(run: Callable[..., Any]) -> None:
    """JSON has the facts in numbers."""
    info = json.loads(run("info", MODEL, "-o", "json").out)
    assert info["schema"] == "ckpttool.info/1"
    assert info["model"] == {"class": "Sequential", "name": "mlp", "layers": 3}
    assert info["inputs"] == [{"layer": "features", "shape": [None, 4], "layout": "dense"}]
    assert info["optimizer"]["class"] == "Adam"
    assert info["optimizer"]["iteration"] == 2


@pytest.mark.parametrize("name", ["keras3/mlp.keras", "keras2.15/mlp.h5", "keras1.2/mlp.h5", "keras3/mlp_dir"])
def test_config(name: str, run: Callable[..., Any]) -> None:
    """`--config` prints the stored config and nothing else, as JSON that can be read back."""
    outcome = run("info", FIXTURES / name, "--config")
    assert (outcome.code, outcome.err) == (0, "")
    info = json.loads(outcome.out)
    assert info["class_name"] == "Sequential"
    if name.endswith(".keras"):
        with zipfile.ZipFile(FIXTURES / name) as archive:
            assert info == json.loads(archive.read("config.json"))


@pytest.mark.parametrize("options", [("--cost",), ("-o", "html")])
def test_config_with_what_it_does_not_print(options: tuple[str, ...], run: Callable[..., Any]) -> None:
    """`--config` prints the config alone: other figures and forms are refused, rather than dropped."""
    done = run("info", MODEL, "--config", *options)
    assert (done.code, done.out) == (2, "")
    assert "--config prints the config alone" in done.err


def test_no_config(run: Callable[..., Any]) -> None:
    """A file of weights has no config: exit code 2, and nothing on standard output."""
    path = FIXTURES / "keras3/mlp.weights.h5"
    outcome = run("info", path, "--config")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: {path}: no config is stored in it, only weights\n"


def test_config_is_shown_safely(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A config of hostile text is printed in ASCII."""
    config = {"class_name": "Sequential", "config": {"name": "\x1b[2J\u202e", "layers": []}}
    path = keras_like(tmp_path / "m.keras", config=json.dumps(config, ensure_ascii=False).encode())
    outcome = run("info", path, "--config")
    assert outcome.out.isascii()
    assert "\x1b" not in outcome.out
    assert json.loads(outcome.out) == config


def test_foreign_hdf5(run: Callable[..., Any]) -> None:
    """HDF5 of others is described as such, and is no success."""
    outcome = run("info", FIXTURES / "broken/plain.h5")
    assert outcome.code == 2
    assert "HDF5, but no Keras checkpoint" in outcome.out
    assert outcome.err.startswith("warning: ")


def test_warning(run: Callable[..., Any]) -> None:
    """A name that promises something else is remarked on, on standard error."""
    outcome = run("info", FIXTURES / "keras2.12/h5_named.keras")
    assert outcome.code == 0
    assert "the name says .keras, the content is: legacy HDF5 model" in outcome.err
    assert "warning" not in outcome.out


def test_companion(run: Callable[..., Any]) -> None:
    """The architecture beside weights is named, and said to be a guess."""
    outcome = run("info", FIXTURES / "keras0.3/mlp_weights.hdf5")
    assert f"{FIXTURES / 'keras0.3/mlp.json'} (a guess by its name)" in outcome.out
    info = json.loads(run("info", FIXTURES / "keras0.3/mlp_weights.hdf5", "-o", "json").out)
    assert info["companion"] == str(FIXTURES / "keras0.3/mlp.json")


def test_directory(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A directory that is no checkpoint is exit code 2, with what to do."""
    outcome = run("info", tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert "found: nothing" in outcome.err
    assert "next: name a directory further down" in outcome.err
    (tmp_path / "mlp.keras").write_bytes((FIXTURES / "keras3/mlp.keras").read_bytes())
    assert "next: name a checkpoint in it, such as mlp.keras" in run("info", tmp_path).err
