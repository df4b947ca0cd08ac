"""Files that are in no manifest and that training can be resumed from: their epochs are in their names, or computed."""

import os
import shutil
from pathlib import Path

import pytest

from ckpttool.callbacks.names import Names
from ckpttool.callbacks.unlisted_files import candidates, files
from tests.samples import FIXTURES

MODEL = FIXTURES / "keras2.15/mlp.h5"  # iteration 2 of its optimizer


def saved(directory: Path, *names: str) -> None:
    """Copies of a model under these names, each newer than the one before."""
    for number, name in enumerate(names):
        shutil.copy(MODEL, directory / name)
        os.utime(directory / name, (number, number))


def test_files_of_a_template(tmp_path: Path) -> None:
    """The newest comes first; known files, links and names that the template does not give are left out."""
    saved(tmp_path, "run-1.h5", "run-2.h5", "run-3.h5", "other.h5", "run-x.h5")
    (tmp_path / "run-4.h5").symlink_to(tmp_path / "run-1.h5")
    names = Names.of(tmp_path / "run-{epoch}.h5", False)
    assert files(names, {"run-2.h5"}) == ["run-3.h5", "run-1.h5"]


@pytest.mark.parametrize(
    ("template", "name", "steps", "moment"),
    [
        ("run-{epoch}.h5", "run-1.h5", 2, (1, None, 2)),
        ("run-{epoch}.h5", "run-1.h5", 4, (1, 2, 2)),  # two steps of four: within the epoch
        ("run-{epoch}.h5", "run-5.h5", None, (5, None, 2)),
        ("run-{epoch}-{batch}.h5", "run-1-2.h5", 4, (1, 2, 2)),
        ("run.h5", "run.h5", 2, (1, None, 2)),
        ("run.h5", "run.h5", 4, (1, 2, 2)),
    ],
)
def test_moments(
    template: str, name: str, steps: int | None, moment: tuple[int, int | None, int], tmp_path: Path
) -> None:
    """The epoch, the batch where the epoch was not over, and the steps in all."""
    saved(tmp_path, name)
    (candidate,) = candidates(Names.of(tmp_path / template, False), (), steps)
    assert candidate.problem == ""
    assert candidate.entry is not None
    assert (candidate.entry.epoch, candidate.entry.batch, candidate.entry.step) == moment
    assert candidate.entry.size == MODEL.stat().st_size


def test_files_that_no_training_goes_on_from(tmp_path: Path) -> None:
    """A file of another format, a damaged one and one without any sign of its epoch have a reason, and no entry."""
    saved(tmp_path, "run.h5")
    (candidate,) = candidates(Names.of(tmp_path / "run.h5", False), (), None)
    assert (candidate.problem, candidate.entry) == (
        "neither its name nor the state of its optimizer shows the epoch", None,
    )  # fmt: skip
    (tmp_path / "run-1.h5").write_bytes(b"none")
    (candidate,) = candidates(Names.of(tmp_path / "run-{epoch}.h5", False), (), 2)
    assert candidate.entry is None
    assert candidate.problem.startswith("it is no checkpoint: ")
