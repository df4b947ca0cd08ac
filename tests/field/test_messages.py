"""Reports from the field about messages: quantized models, another head, an architecture as the thing to list."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from ckpttool.checks.runner import check_file
from tests.corpus import FIELD, needs_field
from tests.samples import FIXTURES

pytestmark = needs_field


def test_scales_beside_quantized_kernels(run: Callable[..., Any]) -> None:
    """Keras 3.15 cannot load an int8 MultiHeadAttention, whose layers hold one weight more than it counts
    (keras#21378); check says so as an error, and ls calls the scales by their name."""
    report = check_file(str(FIELD / "c27_int8.keras"))
    assert report.verdict(None) == "findings"
    (finding,) = [entry for entry in report.findings if entry.rule.code == "I113"]
    assert (finding.where, finding.rule.severity.name) == ("mha", "ERROR")
    outcome = run("ls", FIELD / "c27_int8.keras")
    assert "key/kernel_scale" in outcome.out
    assert "key/2" not in outcome.out


@pytest.mark.parametrize("by", ["name", "order"])
def test_another_head(by: str, run: Callable[..., Any]) -> None:
    """`--skip-mismatch` accepts what load_weights(by_name=True, skip_mismatch=True) leaves alone (keras#14206)."""
    arguments = ["verify", FIELD / "c33_coco_weights.h5", FIELD / "c33_new.json", "--by", by]
    assert run(*arguments).code == 1
    outcome = run(*arguments, "--skip-mismatch")
    if by == "order":  # the number of layers differs, which Keras raises on all the same
        assert outcome.code == 1
        return
    assert outcome.code == 0
    assert "(SHAPE)" in outcome.out
    assert "8 weights match, 4 are skipped" in outcome.out


def test_an_architecture_is_listed(run: Callable[..., Any]) -> None:
    """`ls` and `info` of an architecture show its layers with the weights that it expects."""
    outcome = run("ls", FIELD / "c02_single.json")
    assert outcome.code == 0
    assert "(3, 3, 3, 4)" in outcome.out
    assert "expects 4 weights, 547 parameters" in outcome.out
    assert "written by  Keras 2.2.4" in run("info", FIELD / "c02_single.json").out


def test_a_save_that_failed_at_a_repeated_name(run: Callable[..., Any], tmp_path: Path) -> None:
    """HDF5 stores a name once: Keras raises for the second and leaves a file behind that lists it twice."""
    path = tmp_path / "old.h5"
    shutil.copy(FIXTURES / "keras2.15/mlp.h5", path)
    with h5py.File(path, "r+") as file:
        group = next(layer for layer in file["model_weights"].values() if len(layer.attrs["weight_names"]) == 2)
        listed = [*group.attrs["weight_names"], *group.attrs["weight_names"]]
        group.attrs["weight_names"] = listed
    outcome = run("check", path)
    assert (outcome.code, "lists it more than once" in outcome.out) == (1, True)
    assert run("verify", path, path).code == 1
