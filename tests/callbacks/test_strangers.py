"""A manifest from a stranger: whatever it says, only checkpoints of the training's own series are deleted."""

import hashlib
import json
import math
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.callbacks import latest, saved_in
from ckpttool.callbacks.claim import Claim
from ckpttool.callbacks.deletion import doubt
from ckpttool.callbacks.names import fits
from ckpttool.callbacks.retention import Retention
from ckpttool.callbacks.writer import save, tidy
from ckpttool.cli import main
from ckpttool.manifest import NAME, Saved, State
from tests.callbacks.test_writer import order, weights

SERIES = "{epoch}.h5"
OURS = ("notes.txt", "src/train.py", ".git/config", "final.h5", "7.h5", "8.h5/x.h5")


def entry(directory: Path, file: str, state: str, **more: Any) -> dict[str, object]:
    """An entry that is right about the file, whatever it is."""
    content = (directory / file).read_bytes()
    item = {"file": file, "series": SERIES, "state": state, "epoch": 1, "batch": None, "step": 1, "run": "r"}
    item |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    item |= {"mtime_ns": os.stat(directory / file).st_mtime_ns, "monitor": "", "mode": "min", "value": None}
    item |= {"logs": {}, "seconds": 0.0, "callbacks": [], "seeds": [], "metrics": []}
    return item | dict.fromkeys(("reason", "date", "keras", "backend", "ckpttool"), "") | more


def write(directory: Path, entries: list[dict[str, object]]) -> None:
    """A manifest."""
    (directory / NAME).write_text(json.dumps({"version": 1, "checkpoints": entries}))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project with files of its own, some named as checkpoints are."""
    for file in OURS:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("my own")
    (tmp_path / "link.h5").symlink_to("final.h5")
    return tmp_path


def own(place: Path) -> list[str]:
    """The user's own files that still exist."""
    return [file for file in OURS if (place / file).exists()]


@pytest.mark.parametrize("series", [SERIES, "{a}", "{a}.h5", "notes.txt", "{a.__class__}", "{" * 900, "", ".."])
@pytest.mark.parametrize("state", ["deleting", "complete", "replaced", "writing"])
def test_nothing_but_checkpoints_of_the_series_is_deleted(state: str, series: str, place: Path) -> None:
    """Neither when a training begins nor when it saves; what is left is named."""
    write(place, [entry(place, file, state, series=series) for file in OURS])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tidy(place, SERIES)
        save(order(place, 1, retention=Retention(last=1)))
        save(order(place, 2, retention=Retention(last=1)))
    assert own(place) == list(OURS)
    assert not (place / "1.h5").exists()
    text = "\n".join(str(each.message) for each in caught)
    assert ("notes.txt" in text) == (state == "deleting" or series == SERIES)


def test_what_a_dead_run_was_about_to_delete(tmp_path: Path) -> None:
    """A file of the series is deleted if it is a checkpoint as it was saved; those of other series are not."""
    for file in ("1.h5", "2.h5", "best-3.h5", "4.h5"):
        (tmp_path / file).write_bytes(weights(1))
    entries = [entry(tmp_path, "1.h5", "deleting"), entry(tmp_path, "2.h5", "deleting")]
    entries += [entry(tmp_path, "best-3.h5", "deleting", series="best-{epoch}.h5"), entry(tmp_path, "4.h5", "deleting")]
    entries += [entry(tmp_path, "4.h5", "complete")]
    write(tmp_path, entries)
    (tmp_path / "2.h5").write_bytes(weights(2))
    with pytest.warns(UserWarning, match="deleted") as caught:
        tidied = tidy(tmp_path, SERIES)
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == ["2.h5", "4.h5", "best-3.h5"]
    assert [each.file for each in tidied.saved] == ["4.h5"]
    altered, foreign = (str(each.message) for each in caught)
    assert "2.h5 is not deleted: altered" in altered
    assert foreign.startswith(f"{NAME} in {tmp_path} lists best-3.h5 as to be deleted by another training")
    tidy(tmp_path, "best-{epoch}.h5")
    assert not (tmp_path / "best-3.h5").exists()


@pytest.mark.parametrize(
    ("file", "why"),
    [("7.h5", "no checkpoint"), ("x.h5", "its name"), ("link.h5", "its name"), ("9.h5", "missing"), ("5.h5", "link")],
)
def test_doubts(file: str, why: str, place: Path) -> None:
    """A file that is none, or not where it should be, is not proved."""
    (place / "5.h5").symlink_to("final.h5")
    stored = Saved(file, SERIES, State.DELETING, 1, None, 1, hashlib.sha256(b"my own").hexdigest(), 6)
    assert why in doubt(place, stored)


@pytest.mark.parametrize(
    ("series", "file", "expected"),
    [
        ("m-{epoch:03d}-{val_loss:.2f}.keras", "m-012--0.25.keras", True),
        ("m-{epoch:03d}-{val_loss:.2f}.keras", "m-012-nan-2.keras", True),
        ("m-{epoch}.keras", "m-12.weights.h5", False),
        ("m-{epoch}.keras", "m-final.keras", False),
        ("{epoch}/m.weights.h5", "12/m.weights.h5", True),
        ("{epoch}/m.weights.h5", "12/n/m.weights.h5", False),
        ("a//b/../{acc:.1%}.h5", "a/97.5%.h5", True),
        ("{loss:e}.hdf5", "1.5e-07.hdf5", True),
        ("{epoch}", "12", False),
        ("{epoch", "12.h5", False),
    ],
)
def test_names_of_a_series(series: str, file: str, expected: bool) -> None:
    """Numbers stand where the template has places for them."""
    assert fits(series, file) is expected


texts = st.text(max_size=10) | st.sampled_from(["\ud800", "nan", "²", "x" * 1001, "1.h5", "{epoch}.h5", "complete"])
numbers = st.floats() | st.integers() | st.integers(-(10**400), 10**400) | st.booleans()
values = st.recursive(
    st.none() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_any_value_anywhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """NaN, infinities, huge numbers and half characters in entries: nothing is raised, and nothing lost."""
    place = tmp_path_factory.mktemp("any")
    (place / "1.h5").write_bytes(weights(1))
    item = entry(place, "1.h5", data.draw(st.sampled_from([each.value for each in State])))
    for key in data.draw(st.sets(st.sampled_from(sorted(item)), max_size=3)):
        item[key] = data.draw(values)
    write(place, [item])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved_in(place)
        latest(place)
        save(order(place, 2, retention=Retention(last=1)))
    assert (place / "2.h5").read_bytes() == weights(2)
    assert CliRunner().invoke(main, ["ls", str(place)]).exit_code in (0, 2)


@pytest.mark.parametrize("pid", [10**30, -1, 0, True, "7", math.inf, None, [1]])
def test_a_claim_from_a_stranger(pid: object, tmp_path: Path) -> None:
    """A claim that names no process is nobody's, and is taken over."""
    claim = Claim(tmp_path, SERIES)
    claim.take()
    (lock,) = tmp_path.iterdir()
    claim.release()
    lock.write_text(json.dumps({"pid": pid, "host": "h", "since": "now"}))
    claim.take()
    assert json.loads(lock.read_text())["pid"] == os.getpid()
    claim.release()
    assert not lock.exists()
