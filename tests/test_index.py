"""The index of fixtures agrees with the fixtures."""

import hashlib
import runpy

from tests.loops import for_each
from tests.samples import FIXTURES, INDEX, TRUTH

# Scripts, and what old Keras said and did.
_NO_FILES = {"recipes", *runpy.run_path(str(FIXTURES / "recipes/index.py"))["RECORDINGS"]}
_NOT_INDEXED = {"INDEX.json", "TRUTH.json", "README.md"}


def _files() -> list[str]:
    files = (path.relative_to(FIXTURES) for path in FIXTURES.rglob("*") if path.is_file())
    indexed = (path for path in files if path.parts[0] not in _NO_FILES and path.as_posix() not in _NOT_INDEXED)
    return sorted(path.as_posix() for path in indexed)


def test_every_file_is_described() -> None:
    """Every fixture has an entry, and every entry a fixture."""
    assert _files() == sorted(INDEX)


@for_each(sorted(INDEX))
def test_entry(name: str) -> None:
    """Size and sha256 are those of the file, and the recipe is there."""
    entry, content = INDEX[name], (FIXTURES / name).read_bytes()
    assert entry["size"] == len(content)
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert (FIXTURES / entry["recipe"]).is_file()
    assert entry["what"].endswith(".")
    assert entry["producer"]


def test_truth_is_about_fixtures() -> None:
    """Every file of TRUTH.json is there and leads to a model; every model is led to."""
    assert all((FIXTURES / name).exists() for name in TRUTH["files"])
    assert set(TRUTH["files"].values()) == set(TRUTH["models"])


def test_every_checkpoint_has_a_truth() -> None:
    """Every sound fixture that is a checkpoint has its truth."""
    checkpoints = {name for name in INDEX if name.endswith((".keras", ".h5", ".hdf5", ".weights.json"))}
    sound = {name for name in checkpoints if not name.startswith("broken/") and "/sharded_0" not in name}
    assert sound <= set(TRUTH["files"])


def test_fixtures_are_small() -> None:
    """All fixtures together stay under 3 MB."""
    assert sum((FIXTURES / name).stat().st_size for name in _files()) < 3_000_000
