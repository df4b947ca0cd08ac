"""Rules of policy: silent unless asked, and what each says when it is."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.checks.compliance.versions import Range
from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.checks.requirements import Requirements
from ckpttool.checks.runner import check_file
from ckpttool.errors import CheckpointError
from ckpttool.model.spec import spec_of, to_json
from tests.checks.files import Array, edited
from tests.samples import FIXTURES

MODEL = "keras3/mlp.keras"  # with an optimizer, of Keras 3.15


def asked(**requirements: Any) -> Policy:
    """A policy that requires something."""
    return replace(EVERYTHING, select=("R",), requirements=Requirements(**requirements))


def codes_of(path: str | Path, **requirements: Any) -> list[str]:
    """The codes that a file breaks of some requirements; "?" for what could not be told."""
    report = check_file(str(FIXTURES / path), asked(**requirements))
    return sorted({finding.rule.code for finding in report.findings}) + ["?"] * len(report.unchecked)


def facts(name: str) -> tuple[int, int, set[str]]:
    """Size, parameters and dtypes of a fixture."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        weights = checkpoint.section(ckpttool.Section.MODEL)
        return checkpoint.size, sum(weight.size for weight in weights), {weight.dtype for weight in weights}


SIZE, PARAMETERS, _ = facts(MODEL)

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    (MODEL, {}, []),
    (MODEL, {"dtypes": ("float32",)}, []),
    (MODEL, {"dtypes": ("float16", "bfloat16")}, ["R101"]),
    ("keras3/bfloat16.weights.h5", {"dtypes": ("float32",)}, ["R101"]),
    ("keras3/seeds.keras", {"dtypes": ("float32",)}, []),
    ("keras3/int8.keras", {"dtypes": ("float32",)}, ["R101"]),
    ("keras3/int8.keras", {"dtypes": ("float32", "int8")}, []),
    (MODEL, {"max_size": SIZE}, []),
    (MODEL, {"max_size": SIZE - 1}, ["R102"]),
    (MODEL, {"max_parameters": PARAMETERS}, []),
    (MODEL, {"max_parameters": PARAMETERS - 1}, ["R103"]),
    (MODEL, {"keras": ">=3.0,<4"}, []),
    (MODEL, {"keras": "<3"}, ["R104"]),
    ("keras2.15/mlp.h5", {"keras": ">=3"}, ["R104"]),
    ("keras2.15/mlp.h5", {"keras": "==2.15"}, []),
    ("keras3/mlp.weights.h5", {"keras": ">=3"}, ["?"]),
    (MODEL, {"keras": "~3"}, ["?"]),
    (MODEL, {"required_layers": ("Dense",)}, []),
    (MODEL, {"required_layers": ("Dense", "Normalization")}, ["R105"]),
    ("keras2.15/wrappers.h5", {"required_layers": ("GRU*", "LST?")}, []),
    (MODEL, {"forbidden_layers": ("Lambda", "LSTM")}, []),
    (MODEL, {"forbidden_layers": ("Den*",)}, ["R106"]),
    ("keras2.15/wrappers.h5", {"forbidden_layers": ("LSTM",)}, ["R106"]),
    ("keras3/mlp.weights.h5", {"forbidden_layers": ("LSTM",)}, ["?"]),
    (MODEL, {"custom_objects": ()}, []),
    ("keras3/odd.keras", {"custom_objects": ()}, ["R107"]),
    ("keras3/odd.keras", {"custom_objects": ("Even",)}, ["R107"]),
    ("keras3/odd.keras", {"custom_objects": ("Odd",)}, []),
    ("keras3/odd.keras", {"custom_objects": ("*Odd",)}, []),
    ("old_layers/keras2.15/own_class.h5", {"custom_objects": ("mine>*",)}, []),
    ("old_layers/keras2.15/own_class.h5", {"custom_objects": ("Scale",)}, []),
    ("old_layers/keras2.15/own_class.h5", {"custom_objects": ("mine",)}, ["R107"]),
    ("old_layers/keras2.15/own_class.h5", {"forbidden_layers": ("Scale",)}, ["R106"]),
    ("old_layers/keras2.15/own_class.h5", {"required_layers": ("Scale",)}, []),
    ("broken/zip_named.h5", {"architecture": str(FIXTURES / "keras3.0/mlp.keras")}, ["R109"]),
    ("keras3/mlp.weights.h5", {"custom_objects": ()}, ["?"]),
    (MODEL, {"no_optimizer": True}, ["R108"]),
    ("keras3/cnn.keras", {"no_optimizer": True}, []),
    (MODEL, {"architecture": str(FIXTURES / MODEL)}, []),
    ("keras3/mlp.weights.h5", {"architecture": str(FIXTURES / MODEL)}, []),
    ("keras3/mlp.weights.h5", {"architecture": str(FIXTURES / "keras3/cnn.keras")}, ["R109"]),
    (MODEL, {"architecture": "nowhere.json"}, ["?"]),
    ("keras1.2/mlp.h5", {"architecture": str(FIXTURES / "keras1.2/mlp.h5")}, []),
    ("keras1.2/bidirectional.h5", {"architecture": str(FIXTURES / "keras1.2/bidirectional.h5")}, []),
    ("keras1.2/bidirectional.h5", {"architecture": str(FIXTURES / "keras1.2/mlp.h5")}, ["R109"]),
    ("keras0.3/lstm_weights.hdf5", {"architecture": str(FIXTURES / "keras0.3/lstm.json")}, []),
    ("keras3/odd.keras", {"architecture": str(FIXTURES / "keras3/odd.keras")}, ["?"]),
    (MODEL, {"frozen": ("*",)}, ["?"]),
    (MODEL, {"baseline": str(FIXTURES / MODEL)}, ["?"]),
    (MODEL, {"baseline": "nowhere.keras", "largest_change": 0.1}, ["?"]),
    (MODEL, {"baseline": str(FIXTURES / MODEL), "frozen": ("nothing",)}, ["?"]),
    ("broken/text.h5", {"keras": ">=3"}, ["?"]),
]


@pytest.mark.parametrize(("name", "requirements", "expected"), CASES)
def test_requirements(name: str, requirements: dict[str, Any], expected: list[str]) -> None:
    """A requirement that is not met is a finding, one that cannot be checked is unchecked, and nothing else is
    reported."""
    assert codes_of(name, **requirements) == expected


@pytest.mark.parametrize("name", [MODEL, "keras3/odd.keras", "keras2.15/wrappers.h5", "keras3/mlp.weights.h5"])
def test_silent_unless_asked(name: str) -> None:
    """Without requirements the family says nothing."""
    assert codes_of(name) == []


def test_a_spec_file(tmp_path: Path) -> None:
    """A spec is an architecture too, and tells weight by weight what does not fit."""
    spec = spec_of(ckpttool.load_architecture(FIXTURES / MODEL))
    path = tmp_path / "model.spec.json"
    path.write_text(to_json(spec))
    assert codes_of(MODEL, architecture=str(path)) == []
    path.write_text(to_json(replace(spec, slots=(*spec.slots, replace(spec.slots[-1], path="layers/x/vars/0")))))
    report = check_file(str(FIXTURES / MODEL), asked(architecture=str(path)))
    assert any("missing" in finding.detail for finding in report.findings)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint as baseline, and a copy of it in which one kernel moved by a tenth."""
    base = Path(shutil.copy(FIXTURES / "keras3/cnn.h5", tmp_path / "base.h5"))
    tuned = Path(shutil.copy(base, tmp_path / "tuned.h5"))

    def moved(values: Array) -> Array:
        return values * 1.1

    return base, edited(tuned, {"model_weights/conv2d/conv2d/kernel": moved})


def test_drift(pair: tuple[Path, Path]) -> None:
    """Frozen weights have to be the same, and the others may move as far as is said."""
    base, tuned = pair
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"frozen": ("stem*", "norm*")}, []),
        ({"frozen": ("conv2d*",)}, ["R110"]),
        ({"largest_change": 0.11}, []),
        ({"largest_change": 0.09}, ["R111"]),
        ({"frozen": ("conv2d*",), "largest_change": 0.09}, ["R110", "R111"]),
    ]
    for requirements, expected in cases:
        assert codes_of(tuned, baseline=str(base), **requirements) == expected, requirements
    assert codes_of(base, baseline=str(base), frozen=("*",), largest_change=0.0) == []


def test_counters_have_no_dtype(tmp_path: Path) -> None:
    """Seeds and counters are whole numbers in any model; tables of them are weights."""
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 4), "float32")
        file["layers/dropout/seed_generator/vars/0"] = np.ones(2, "uint32")
        file["layers/normalization/vars/2"] = np.int64(7)
    assert codes_of(path, dtypes=("float32",)) == []
    with h5py.File(path, "r+") as file:
        file["layers/table/vars/0"] = np.ones(3, "int32")
    assert codes_of(path, dtypes=("float32",)) == ["R101"]


def test_another_shape(pair: tuple[Path, Path]) -> None:
    """A weight of another shape has changed by any measure."""
    base, tuned = pair
    place = "model_weights/score/score/kernel"
    with h5py.File(tuned, "r+") as file:
        del file[place]
        file[place] = np.ones((6, 3), "float32")
    report = check_file(str(tuned), asked(baseline=str(base), largest_change=0.5))
    assert [(finding.where, finding.detail) for finding in report.findings] == [(place, "(6, 2) became (6, 3)")]


def test_weights_that_came_or_went(pair: tuple[Path, Path]) -> None:
    """NaN, and weights that are gone, are no small changes."""
    base, tuned = pair
    place = "model_weights/score/score/kernel"
    with h5py.File(tuned, "r+") as file:
        file[place][0, 0] = float("nan")
    report = check_file(str(tuned), asked(baseline=str(base), largest_change=0.5))
    assert [(finding.rule.code, finding.where) for finding in report.findings] == [("R111", place)]
    assert "R111" in codes_of("keras3/mlp.keras", baseline=str(base), largest_change=0.5)


RANGES = [
    (">=3.0,<4", ["3.0.0", "3.15.1", "3"], ["2.15.0", "4.0", "4.1", ""]),
    ("==2.2.4", ["2.2.4", "2.2.4-tf"], ["2.2.5", "2.2"]),
    ("!=3.1, >3", ["3.0.1", "3.2"], ["3", "3.1.0", "2"]),
    ("<=3.10", ["3.9.2", "3.10"], ["3.10.1", "3.11"]),
]


@pytest.mark.parametrize(("text", "inside", "outside"), RANGES)
def test_ranges_of_versions(text: str, inside: list[str], outside: list[str]) -> None:
    """Versions are compared number by number, and missing ones are 0."""
    versions = Range.of(text)
    assert all(version in versions for version in inside)
    assert not any(version in versions for version in outside)


@pytest.mark.parametrize("text", ["3", ">=", "=>3", ">=3,", "~=3.0", ">=3 <4", ">=x", "=3"])
def test_what_is_no_range(text: str) -> None:
    """A text that is no range of versions is an error that says so."""
    with pytest.raises(CheckpointError, match="is no range of versions"):
        Range.of(text)
