"""Good files alarm nobody: what is found in fixtures and in real checkpoints is really there."""

from pathlib import Path

import pytest

from ckpttool.formats import FORMATS
from tests.checks.files import alarms, report_on
from tests.corpus import CORPUS, needs_corpus
from tests.samples import FIXTURES, TRUE_FILES

_DEAD, _NAME = {"N106"}, {"I112"}
# A file that was named after another format.
ALARMS_IN_FIXTURES = {
    "keras2.12/h5_named.keras": _NAME,
}
# Channels that died in training: their variances are 0 to 1e-15, which no epsilon was added to.
ALARMS_IN_CORPUS = {
    "fer__emotion_model.hdf5": _DEAD,
    "idealo__rdn-C3-D10-G64-G064-x2_PSNR_epoch134.hdf5": {"I104"},
    "kerasrepo__bugged_model.keras": {"I105"},
    "mltiny__vww_96.h5": _DEAD,
    "rlcode__cp-v0.keras": _NAME,
    "rocalphago__value_training_features.hdf5": {"I104"},
    "teachable__keras_model.h5": _DEAD,
}


def checkpoints(root: Path) -> list[str]:
    """The files below a folder that are named as checkpoints, and all that live Keras told the truth of."""
    suffixes = tuple(suffix for kind in FORMATS.values() for suffix in kind.suffixes)
    names = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in names if name.endswith(suffixes) and not name.startswith("broken/"))


@pytest.mark.parametrize("folder", sorted({Path(name).parts[0] for name in checkpoints(FIXTURES)}))
def test_fixtures(folder: str) -> None:
    """Integrity and numbers find nothing in the good fixtures that is worth a look, but for what is listed."""
    names = [name for name in checkpoints(FIXTURES) if name.startswith(f"{folder}/")]
    alarms_by_name = {name: alarms(report_on(str(FIXTURES / name), "I", "N"), "IN") for name in names}
    expected = {name: codes for name, codes in ALARMS_IN_FIXTURES.items() if name in names}
    assert {name: codes for name, codes in alarms_by_name.items() if codes} == expected


def test_true_files_are_among_them() -> None:
    """The test above meets what live Keras told the truth of, but for directories."""
    names = set(checkpoints(FIXTURES))
    assert {name for name in TRUE_FILES if (FIXTURES / name).is_file()} <= names


@pytest.mark.parametrize("name", [name for name in TRUE_FILES if (FIXTURES / name).is_dir()])
def test_directories(name: str) -> None:
    """Neither is anything found in an unzipped `.keras`."""
    assert not alarms(report_on(str(FIXTURES / name)), "IN")


@needs_corpus
def test_corpus() -> None:
    """Nor in the real checkpoints, but for what is listed."""
    names = [name for name in checkpoints(CORPUS / "files") if "companion" not in name and "/" not in name]
    alarms_by_name = {name: alarms(report_on(str(CORPUS / "files" / name), "I", "N"), "IN") for name in names}
    assert {name: codes for name, codes in alarms_by_name.items() if codes} == ALARMS_IN_CORPUS


@pytest.mark.parametrize("name", [name for name in checkpoints(FIXTURES) if name.startswith(("keras3", "tuned"))])
def test_files_of_keras_3(name: str) -> None:
    """Of what Keras 3 wrote there is nothing to say of its portability, but that it does not compile its own .h5, and
    which own class it needs."""
    portability = [finding for finding in report_on(str(FIXTURES / name)).findings if finding.rule.code.startswith("P")]
    needs = [finding.detail for finding in portability if finding.rule.code == "P107"]
    assert needs == (["load_model needs them as custom_objects: fixtures>Odd"] if name == "keras3/odd.keras" else [])
    rest = [finding for finding in portability if finding.rule.code != "P107"]
    assert not [
        finding for finding in rest if not (name.endswith(".h5") and "load_model(compile=False)" in finding.detail)
    ]
