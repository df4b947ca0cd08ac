"""The checkpoints in a directory, listed from Python."""

import json
import shutil
from pathlib import Path

import ckpttool
from tests.samples import FIXTURES


def test_the_checkpoints_of_a_training(tmp_path: Path) -> None:
    """Checkpoints of the manifest come first, oldest first, a missing one among them; then the rest by name."""
    for file in (FIXTURES / "run").iterdir():
        shutil.copy(file, tmp_path)
    shutil.copy(FIXTURES / "keras3/mlp.keras", tmp_path / "a.keras")
    (tmp_path / "b.h5").write_bytes(b"cut")
    listed = [entry["file"] for entry in json.loads((tmp_path / "checkpoints.json").read_text())["checkpoints"]]
    (tmp_path / listed[0]).unlink()
    directory = ckpttool.ls_directory(tmp_path)
    assert [each.path.name for each in directory.summaries] == [*listed, "a.keras", "b.h5"]
    missing, whole, *_, stranger, cut = directory.summaries
    assert (missing.listing, missing.error) == (None, "missing")
    assert missing.messages == (f"{tmp_path / listed[0]}: missing",)
    assert whole.record is not None
    assert whole.record.saved.file == listed[1]
    assert stranger.listing == ckpttool.ls(stranger.path)
    assert cut.listing is None
    assert str(cut.path) in cut.messages[0]


def test_an_unreadable_manifest(tmp_path: Path) -> None:
    """It is a line of its own, and the checkpoints are listed all the same."""
    shutil.copy(FIXTURES / "keras3/mlp.keras", tmp_path)
    (tmp_path / "checkpoints.json").write_text("[")
    first, second = ckpttool.ls_directory(tmp_path).summaries
    assert first.path.name == "checkpoints.json"
    assert first.messages
    assert second.listing is not None


def test_a_choice(tmp_path: Path) -> None:
    """Rows are chosen as in the listing of one checkpoint; an empty directory has no summaries."""
    assert ckpttool.ls_directory(tmp_path).summaries == ()
    shutil.copy(FIXTURES / "keras3/mlp.keras", tmp_path)
    (only,) = ckpttool.ls_directory(tmp_path, ckpttool.Choice(match=("*kernel",))).summaries
    assert only.listing is not None
    assert {row.label for row in only.listing.rows} == {"kernel"}
