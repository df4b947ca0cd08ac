"""Real checkpoints of other people, Keras 0.x to 3.15: `ls` and `info` say what was found out about each by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ckpttool.cli import main
from tests.corpus import CORPUS, needs_corpus

pytestmark = needs_corpus

EXPECTED = sorted((CORPUS / "expected").glob("*.json")) if CORPUS.is_dir() else []
KINDS = {
    "h5-whole-model": "legacy-model",
    "h5-weights-legacy": "legacy-weights",
    "h5-weights-keras0": "keras0-weights",
    "keras-zip": "keras-zip",
    "tf-checkpoint": "tensorflow-checkpoint",
    "savedmodel-dir": "saved-model",
}
# What this version does not read, and what its error must then name.
DIAGNOSED = {
    "bad:git-lfs-pointer": "is a git-lfs pointer",
}


def run(*arguments: str) -> Result:
    """The outcome of the command line."""
    return CliRunner().invoke(main, list(arguments))


def read_cases() -> list[Any]:
    """The files that are read."""
    return [pytest.param(path, id=path.stem) for path in EXPECTED if json.loads(path.read_text())["kind"] in KINDS]


def diagnosed_cases() -> list[Any]:
    """The files that are named for what they are."""
    return [pytest.param(path, id=path.stem) for path in EXPECTED if json.loads(path.read_text())["kind"] in DIAGNOSED]


def file_of(expected: dict[str, Any]) -> Path:
    """The file that an expectation is about."""
    return CORPUS / "files" / expected["name"]


OF_TENSORFLOW = {"tf-checkpoint", "savedmodel-dir"}  # of which the names of variables were not written down by hand


def facts(weights: list[dict[str, Any]], kind: str) -> list[tuple[Any, ...]]:
    """The facts of each weight by both sides, in order."""
    named = kind not in OF_TENSORFLOW
    return [
        (weight["path"], weight["shape"], weight["dtype"], weight["sha256"], weight.get("name") if named else "")
        for weight in weights
    ]


@pytest.mark.parametrize("path", read_cases())
def test_ls_lists_every_weight_in_stored_order(path: Path) -> None:
    """Paths, shapes, dtypes, names and checksums of all weights, section by section, are those that were expected."""
    expected = json.loads(path.read_text())
    outcome = run("ls", str(file_of(expected)), "--section", "all", "--sha256", "--output", "json")
    assert outcome.exit_code == 0, outcome.stderr
    listing = json.loads(outcome.stdout)
    by_section: dict[str, list[dict[str, Any]]] = {"model": [], "optimizer": [], "state": []}
    for weight in listing["weights"]:
        by_section[weight["section"] if weight["section"] in by_section else "state"].append(weight)
    kind = expected["kind"]
    for section, known in (("model", "weights"), ("optimizer", "optimizer"), ("state", "state")):
        assert facts(by_section[section], kind) == facts(expected.get(known) or [], kind)
    assert listing["kind"] == KINDS[expected["kind"]]


@pytest.mark.parametrize("path", read_cases())
def test_totals_are_those_counted_by_hand(path: Path) -> None:
    """The number of weights and parameters of model and optimizer."""
    expected = json.loads(path.read_text())
    totals = json.loads(run("ls", str(file_of(expected)), "--output", "json").stdout)["totals"]
    model, optimizer = (totals.get(name, {"weights": 0, "params": 0}) for name in ("model", "optimizer"))
    assert (model["weights"], model["params"]) == (expected["n_weights"], expected["total_params"])
    assert (optimizer["weights"], optimizer["params"]) == (expected["n_optimizer"], expected["optimizer_params"])


@pytest.mark.parametrize("path", read_cases())
def test_info_names_the_writer_and_the_model(path: Path) -> None:
    """Keras version, backend (stored or by weight names), date, generation, model class and name."""
    expected = json.loads(path.read_text())
    outcome = run("info", str(file_of(expected)), "--output", "json")
    assert outcome.exit_code == 0, outcome.stderr
    info = json.loads(outcome.stdout)
    writer, producer = expected.get("writer", {}), info["producer"]
    assert producer["keras_version"] == writer.get("keras_version")
    assert producer["backend"] == writer.get("backend")
    assert producer["date_saved"] == writer.get("date_saved")
    assert producer["inferred_backend"] == writer.get("backend_by_weight_names")
    if "generation" in writer:
        assert producer["generation"] == writer["generation"]
    if "model_class" in expected:
        assert (info["model"]["class"], info["model"]["name"] or None) == (
            expected["model_class"],
            expected["model_name"],
        )
    assert bool(info["compiled"] or info["optimizer"]) >= bool(expected.get("has_training_config"))


@pytest.mark.parametrize("path", read_cases())
def test_layers_are_named_and_classed_as_expected(path: Path) -> None:
    """Each layer that was expected is listed by its name, with its class where the file tells it."""
    expected = json.loads(path.read_text())
    listing = json.loads(run("ls", str(file_of(expected)), "--layers", "--output", "json").stdout)
    classes = {layer["layer"]: layer["class"] for layer in listing["layers"]}
    with_config = "model_class" in expected
    for name, class_name in names_of(expected["layers"] if with_config else []):
        assert name in classes or any(layer.startswith(f"{name}/") for layer in classes), name
        assert classes.get(name, class_name) == class_name


def names_of(layers: list[dict[str, Any]], prefix: str = "") -> list[tuple[str, str]]:
    """The chains of names and the classes of the leaf layers of the outermost model."""
    return [(f"{prefix}{layer['name']}", layer["class"]) for layer in layers if not layer.get("nested")]


@pytest.mark.parametrize("path", diagnosed_cases())
def test_what_is_not_read_is_named(path: Path) -> None:
    """A file that is no checkpoint in Keras's own formats is named for what it is, with exit code 2 and no listing."""
    expected = json.loads(path.read_text())
    for command in ("ls", "info"):
        outcome = run(command, str(file_of(expected)))
        assert outcome.exit_code == 2
        assert outcome.stdout == ""
        assert DIAGNOSED[expected["kind"]] in outcome.stderr
    if "lfs" in expected:
        assert str(expected["lfs"]["size"]) in outcome.stderr
        assert expected["lfs"]["oid"] in outcome.stderr


@pytest.mark.parametrize("name", ["rocalphago__value_training_features.hdf5"])
def test_plain_hdf5_is_listed_and_said_to_be_none_of_keras(name: str) -> None:
    """HDF5 without a layout of Keras is listed as it is, with the reason and exit code 2."""
    expected = json.loads((CORPUS / "expected" / f"{name}.json").read_text())
    outcome = run("ls", str(file_of(expected)), "--output", "json")
    assert outcome.exit_code == 2
    assert expected["diagnosis"] in outcome.stderr
    assert {weight["path"] for weight in json.loads(outcome.stdout)["weights"]} == set(expected["top_level"])


def test_a_model_whose_weights_were_never_saved_is_reported() -> None:
    """Keras 3.13.2 once saved an optimizer's state and none of the model's weights; `ls` says so."""
    outcome = run("ls", str(CORPUS / "files" / "kerasrepo__bugged_model.keras"))
    assert "no weights of the model" in outcome.stderr


def test_the_architecture_beside_a_weights_file_is_named() -> None:
    """`info` names the architecture file that belongs to a weights-only file."""
    manifest = json.loads((CORPUS / "manifest.json").read_text())
    for entry in manifest:
        architectures = [
            companion["name"]
            for companion in entry["companions"]
            if companion["name"].endswith((".json", ".yaml", ".yml"))
        ]
        if architectures and entry["kind"] in ("h5-weights-legacy", "h5-weights-keras0"):
            info = json.loads(run("info", str(CORPUS / "files" / entry["name"]), "--output", "json").stdout)
            assert Path(info["companion"] or "").name in architectures, entry["name"]


def test_every_expected_file_is_judged() -> None:
    """No kind of file in the corpus goes untested."""
    kinds = {json.loads(path.read_text())["kind"] for path in EXPECTED}
    assert kinds <= KINDS.keys() | DIAGNOSED.keys() | {"hdf5-other"}
    assert len(EXPECTED) >= 60
