"""The work that a command does once: a config is read and normalised once, whoever asks for what follows from it, and
the weights of a checkpoint are matched once with the slots of a model."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.alignment import alignment
from ckpttool.conversion import convert, pipeline
from ckpttool.errors import CheckpointError
from ckpttool.model import architecture_of, architecture_parts, config
from ckpttool.model.checkpoint_architecture import share_architecture
from tests.conftest import Outcome
from tests.samples import FIXTURES, keras_like

Run = Callable[..., Outcome]

NEW = FIXTURES / "keras3" / "nested.keras"
OTHER_NEW = FIXTURES / "keras3" / "mlp.keras"
OLD = FIXTURES / "keras2.15" / "nested.h5"
OTHER_OLD = FIXTURES / "keras2.15" / "mlp.h5"

ONE_CONFIG = {"read": 1, "normalised": 1, "aligned": 1}
TWO_CONFIGS = {"read": 2, "normalised": 2, "aligned": 2}
TO_BE_REWRITTEN = {"read": 2, "normalised": 2, "aligned": 1}
"""Two configs, that of the file and the one that it becomes; the weights are matched with the slots of the first."""

WORK: dict[str, tuple[tuple[str | Path, ...], dict[str, int]]] = {
    "ls": (("ls", NEW), ONE_CONFIG),
    "ls of Keras 2": (("ls", OLD), ONE_CONFIG),
    "info": (("info", NEW), ONE_CONFIG),
    "check": (("check", NEW), ONE_CONFIG),
    "check of Keras 2, which plans a conversion": (("check", OLD), TO_BE_REWRITTEN),
    "plan": (("convert", "--dry-run", OLD, "new.keras"), TO_BE_REWRITTEN),
    "diff": (("diff", NEW, OTHER_NEW), TWO_CONFIGS),
    # Once per config. The names to show weights under need those of the first file to be matched; the spec needs none.
    "verify": (("verify", NEW, OTHER_NEW), {"read": 2, "normalised": 2, "aligned": 1}),
    "verify of weights alone": (
        ("verify", FIXTURES / "keras3" / "nested.weights.h5", NEW),
        {"read": 1, "normalised": 1, "aligned": 0},
    ),
    # Once per config, and once per file: the weights that were written are matched with the slots of the new config.
    "convert": (("convert", OLD, "new.keras"), TWO_CONFIGS),
    "convert to weights alone": (("convert", OLD, "new.weights.h5"), TO_BE_REWRITTEN),
    "convert of Keras 3, whose config stays": (("convert", NEW, "new.keras"), ONE_CONFIG),
    # Once per config: those of both files and the one that the older becomes. Once per checkpoint and model: the
    # weights of both files, and those of the older as they would be written.
    "diff across generations": (("diff", OLD, NEW), {"read": 3, "normalised": 3, "aligned": 3}),
    # Compared as written first, and where that shows changes of form, as they would be converted: four configs, four
    # matches.
    "diff of two of Keras 2": (("diff", OLD, OTHER_OLD), {"read": 4, "normalised": 4, "aligned": 4}),
}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The number of configs that are read and normalised, and of matches of weights with slots."""
    counts = Counter[str]()

    def count(module: Any, name: str, work: str) -> None:
        genuine = getattr(module, name)

        def counting(first: Any, *rest: Any) -> Any:
            counts[work] += first is not None
            return genuine(first, *rest)

        monkeypatch.setattr(module, name, counting)

    count(config, "_read", "read")
    count(architecture_parts, "normalized", "normalised")
    count(alignment, "_align", "aligned")
    return counts


@pytest.mark.parametrize("name", WORK)
def test_each_work_is_done_once(
    name: str, counted: Counter[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command reads and normalises each config once, and matches the weights of each checkpoint once with each
    model."""
    monkeypatch.chdir(tmp_path)
    command, expected = WORK[name]
    outcome = run(*command)
    assert outcome.code in (0, 1), outcome.err
    assert {work: counted[work] for work in expected} == expected


def written(tmp_path: Path, units: Any, version: str = "3.15.1") -> Path:
    """A `.keras` of a model with one layer of so many units."""
    layer = {"class_name": "Dense", "module": "keras.layers", "config": {"name": "dense", "units": units}}
    model = {"class_name": "Sequential", "module": "keras", "config": {"name": "model", "layers": [layer]}}
    metadata = json.dumps({"keras_version": version}).encode()
    return keras_like(tmp_path / "model.keras", config=json.dumps(model).encode(), metadata=metadata)


@pytest.mark.parametrize(
    ("units", "version", "shared"),
    [(1, "3.15.1", True), (1.0, "3.15.1", False), (True, "3.15.1", False), (1, "3.0", False)],
)
def test_an_architecture_is_shared_by_equal_configs(units: Any, version: str, shared: bool, tmp_path: Path) -> None:
    """A checkpoint shares a known architecture if its config has the same values of the same types, of one version."""
    with ckpttool.open(written(tmp_path, 1)) as checkpoint:
        known = architecture_of(checkpoint)
    with ckpttool.open(written(tmp_path, units, version)) as checkpoint:
        share_architecture(known, checkpoint)
        assert (architecture_of(checkpoint) is known) is shared


def test_the_config_that_was_written_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config that came out otherwise than planned is the one that the weights of the file have to fit."""
    genuine = pipeline.write

    def spoilt(form: str, path: Path, payload: Any, *rest: Any) -> None:
        text = json.dumps(payload.model.config)
        assert '"units": 3' in text
        model = replace(payload.model, config=json.loads(text.replace('"units": 3', '"units": 5')))
        genuine(form, path, payload._replace(model=model), *rest)

    monkeypatch.setattr(pipeline, "write", spoilt)
    with pytest.raises(CheckpointError, match="Keras 3 would not load the converted file"):
        convert(OTHER_OLD, tmp_path / "new.keras")
    assert list(tmp_path.iterdir()) == []
