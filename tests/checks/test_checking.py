"""The engine of checks."""

from pathlib import Path

from ckpttool.checks.checking import check
from tests.samples import FIXTURES


def test_a_whole_checkpoint_is_clean() -> None:
    """Nothing is found in what Keras has written."""
    assert check(FIXTURES / "keras3/mlp.keras").verdict == "clean"


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    """What was cut off is an error of integrity."""
    path = tmp_path / "cut.weights.h5"
    path.write_bytes((FIXTURES / "keras3/mlp.weights.h5").read_bytes()[:2000])
    report = check(path)
    assert report.verdict == "findings"
    assert [finding.rule.code for finding in report.failures] == ["I101"]
