"""Real checkpoints and those that genuine Keras wrote: nothing alarms but what is really there."""

import json
from pathlib import Path

import pytest

from ckpttool.formats import checkpoints_in
from tests.checks.safe import findings
from tests.corpus import CORPUS, needs_corpus
from tests.samples import FIXTURES

# What is really in the corpus: code in two Lambda layers, and models of classes of their own.
IN_CORPUS = {
    ("dl4j__model_lambda.h5", "S101", "config.config.layers[2].config.function"),
    ("dl4j__model_lambda.h5", "S101", "config.config.layers[3].config.function"),
    ("kerasrepo__bugged_model.keras", "S104", "config"),
    ("tfx__keras_serving.savedmodel", "S104", "config.config.layers[8]"),
}

# What is really in the fixtures.
IN_FIXTURES = {
    ("broken/pickle.h5", "S109", ""),
    ("broken/pytorch.keras", "S109", ""),
    ("keras2.15/npz.keras", "S109", "model.weights.npz"),
    ("keras3/npz.keras", "S109", "model.weights.npz"),
    ("keras3/odd.keras", "S104", "config.config.layers[1]"),
    ("old_layers/keras2.15/own_class.h5", "S104", "config.config.layers[2]"),
    ("old_layers/keras2.15/refused_block.h5", "S104", "config.config.layers[2]"),
    *((f"own_classes/{name}", "S104", "config.config.layers[4]") for name in ("model.h5", "trained.h5", "model.keras")),
    ("old_layers/keras2.2/refused_lambda.h5", "S101", "config.config.layers[1].config.function"),
}


def alarms_in(folder: Path, paths: list[Path]) -> set[tuple[str, str, str]]:
    """File, rule and place of everything that the rules of safety find."""
    return {
        (path.relative_to(folder).as_posix(), finding.rule.code, finding.where)
        for path in paths
        for finding in findings(path)
    }


@needs_corpus
def test_the_corpus_alarms_only_for_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """No false alarm in real checkpoints of Keras 0 to 3; what is found is printed."""
    folder = CORPUS / "files"
    paths = [folder / entry["name"] for entry in json.loads((CORPUS / "manifest.json").read_text())]
    assert len(paths) >= 60 and all(path.exists() for path in paths)
    alarms = alarms_in(folder, paths)
    with capsys.disabled():
        print("", *(" ".join(alarm) for alarm in sorted(alarms)), sep="\n")
    assert alarms == IN_CORPUS


def test_the_fixtures_alarm_only_for_what_is_there() -> None:
    """No false alarm in what genuine Keras of all generations wrote."""
    folders = {path.parent for path in FIXTURES.rglob("*") if path.is_file()}
    paths = [path for folder in sorted(folders) for path in checkpoints_in(folder)]
    assert len(paths) > 150
    assert alarms_in(FIXTURES, paths) == IN_FIXTURES
