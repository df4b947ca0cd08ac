"""`checkpoints.json`: what is written is read again, what makes no sense is left out, files decide."""

import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.manifest import (
    MODES,
    NAME,
    CallbackState,
    EpochLogs,
    Manifest,
    Saved,
    State,
    best_entry,
    bests,
    damage,
    read_manifest,
    recovered,
    write_manifest,
)
from ckpttool.manifest.json import checked_notes, checked_state

texts = st.text(st.characters(codec="utf-8"), max_size=20)
counts = st.integers(0, (1 << 63) - 1)
numbers = st.floats() | st.integers(-1000, 1000)
many = numbers | st.lists(numbers, max_size=3).map(tuple)
parts = st.text("abcé {}-.", min_size=1, max_size=8).filter(lambda part: part not in (".", ".."))
files = st.lists(parts, min_size=1, max_size=3).map("/".join)
entries = st.builds(
    Saved,
    file=files,
    series=texts,
    state=st.sampled_from(State),
    epoch=counts,
    batch=st.none() | counts,
    step=counts,
    sha256=st.binary().map(lambda raw: hashlib.sha256(raw).hexdigest()),
    size=counts,
    mtime_ns=counts,
    run=texts,
    reason=texts,
    monitor=texts,
    mode=st.sampled_from(MODES),
    value=st.none() | numbers,
    logs=st.dictionaries(texts, numbers, max_size=4),
    seconds=st.floats(0, 1e9),
    date=texts,
    keras=texts,
    backend=texts,
    ckpttool=texts,
    callbacks=st.lists(
        st.builds(
            CallbackState, texts, st.integers(0, 9), st.dictionaries(texts, st.none() | texts | many, max_size=3)
        ),
        max_size=2,
    ).map(tuple),
    metrics=st.lists(st.lists(numbers, max_size=3).map(tuple), max_size=2).map(tuple),
    seeds=st.lists(st.lists(st.integers(0, (1 << 64) - 1), max_size=3).map(tuple), max_size=2).map(tuple),
    generators=st.dictionaries(texts, texts, max_size=2),
    generators_before=st.dictionaries(texts, texts, max_size=2),
    notes=st.dictionaries(texts, numbers | texts, max_size=2),
)  # fmt: skip


def saved(file: str, value: float | None = None, **more: Any) -> Saved:
    """A plain entry."""
    return Saved(file, "e{epoch}", State.COMPLETE, 1, None, 1, "0" * 64, 0, monitor="loss", value=value, **more)


def on_disk(directory: Path, file: str, content: bytes = b"weights") -> Saved:
    """An entry whose file is there."""
    path = directory / file
    path.write_bytes(content)
    return replace(
        saved(file),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        mtime_ns=path.stat().st_mtime_ns,
    )


@given(st.lists(entries, max_size=4))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, listed: list[Saved]) -> None:
    """A manifest read is the manifest written, NaN, infinities and odd texts included; the JSON is strict."""
    directory = tmp_path_factory.mktemp("manifest")
    write_manifest(directory, Manifest(tuple(listed)), "a test")
    read = read_manifest(directory)
    assert (read.problems, read.epochs) == ((), ())
    facts = [
        [[getattr(entry, field.name) for field in fields(entry)] for entry in side] for side in (read.saved, listed)
    ]
    assert repr(facts[0]) == repr(facts[1])  # NaN is itself
    json.loads((directory / NAME).read_text("ascii"), parse_constant=pytest.fail)


@given(
    st.lists(st.builds(EpochLogs, texts, st.integers(0, 9), st.dictionaries(texts, numbers, max_size=3)), max_size=6)
)
def test_epochs_that_are_written_are_read(tmp_path_factory: pytest.TempPathFactory, epochs: list[EpochLogs]) -> None:
    """Of the logs of an epoch of a run, the latest are kept; they come back as they were."""
    directory = tmp_path_factory.mktemp("epochs")
    manifest = Manifest().with_epochs(epochs[:2]).with_epochs(epochs[2:])
    assert {(each.run, each.epoch): each.logs for each in epochs} == {
        (epoch.run, epoch.epoch): epoch.logs for epoch in manifest.epochs
    }
    assert len(manifest.epochs) == len({(each.run, each.epoch) for each in epochs})
    write_manifest(directory, manifest, "a test")
    assert repr(read_manifest(directory)) == repr(manifest)


@pytest.mark.parametrize(
    "epochs",
    [{}, 3, [3], [{}], [{"run": "a", "epoch": -1, "logs": {}}], [{"run": "a", "epoch": 1, "logs": {"loss": "low"}}]],
)
def test_logs_of_epochs_that_make_no_sense(epochs: object, tmp_path: Path) -> None:
    """They are left out, all of them, which is reported; the checkpoints stay."""
    on_disk(tmp_path, "a")
    write_manifest(tmp_path, Manifest((saved("a"),)), "a test")
    stored = json.loads((tmp_path / NAME).read_text())
    (tmp_path / NAME).write_text(json.dumps(stored | {"epochs": epochs}))
    manifest = read_manifest(tmp_path)
    assert [each.file for each in manifest.saved] == ["a"]
    assert manifest.epochs == ()
    assert manifest.problems[0].startswith("checkpoints.json: the logs of epochs are left out: ")


def test_nothing_there(tmp_path: Path) -> None:
    """A directory without a manifest has an empty one."""
    assert read_manifest(tmp_path) == Manifest()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"version": 1}', b'{"version": "1", "checkpoints": []}', b"[" * 5000, b"\xff\xfe",
     b'{"version": 1, "checkpoints": {}}'],
)  # fmt: skip
def test_no_manifest(content: bytes, tmp_path: Path) -> None:
    """A file that is no manifest is one error that names the file."""
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises((CorruptFileError, UnsafeFileError)) as raised:
        read_manifest(tmp_path)
    assert raised.value.path == str(tmp_path / NAME)


def test_of_a_later_version(tmp_path: Path) -> None:
    """A manifest of a later version is not guessed at."""
    (tmp_path / NAME).write_text('{"version": 2, "checkpoints": []}')
    with pytest.raises(UnsupportedError):
        read_manifest(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
def test_no_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A manifest that is no regular file is an error, and is not waited for."""
    make(tmp_path / NAME)
    with pytest.raises(CheckpointError):
        read_manifest(tmp_path)


ESCAPES = ["../up.keras", "/etc/passwd", "a/../../b", "", ".", "..", "a//b", "a/", "a\0b", "./a"]
ESCAPES += ["C:x", "a\\b"] * (os.name == "nt")  # elsewhere, these are names as others are
WRONG: list[tuple[str, Any]] = [
    *(("file", path) for path in ESCAPES),
    ("file", 7), ("file", "x" * 2000), ("series", None), ("state", "gone"), ("epoch", -1), ("epoch", 1.5),
    ("epoch", True), ("batch", "2"), ("step", 1 << 63), ("sha256", "zz"), ("sha256", "0" * 63), ("size", None),
    ("mode", "auto"), ("value", []), ("value", "high"), ("value", 10**400), ("value", 2**1000),
    ("logs", []), ("logs", {"a": None}), ("logs", {"a": {}}), ("seeds", None), ("seeds", [1]), ("seeds", [[-1]]),
    ("seeds", [[1 << 64]]), ("seeds", [[True]]), ("metrics", {}), ("metrics", [["high"]]), ("metrics", [[None]]),
    ("callbacks", {}), ("callbacks", [1]), ("callbacks", [{"class": "A", "number": 0}]),
]  # fmt: skip


@pytest.mark.parametrize(("key", "wrong"), WRONG)
def test_an_entry_that_makes_no_sense(key: str, wrong: object, tmp_path: Path) -> None:
    """Such an entry is left out and told of; the others stay."""
    write_manifest(tmp_path, Manifest((saved("a"), saved("b"))), "a test")
    text = json.loads((tmp_path / NAME).read_text())
    text["checkpoints"][0][key] = wrong
    (tmp_path / NAME).write_text(json.dumps(text))
    manifest = read_manifest(tmp_path)
    assert [entry.file for entry in manifest.saved] == ["b"]
    assert len(manifest.problems) == 1
    assert "entry 1 " in manifest.problems[0]


@given(
    st.recursive(
        st.none() | st.booleans() | numbers | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
    )
)
def test_junk(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    """Any JSON is a manifest or a CheckpointError."""
    directory = tmp_path_factory.mktemp("junk")
    (directory / NAME).write_text(json.dumps({"version": 1, "checkpoints": [value, value]}))
    try:
        assert read_manifest(directory).saved == ()
    except CheckpointError:
        assert not isinstance(value, dict)


def test_damage(tmp_path: Path) -> None:
    """A file is whole, altered, missing, or no file; a new date alone is no damage."""
    entry = on_disk(tmp_path, "a")
    assert damage(tmp_path, entry, thorough=True) == ""
    os.utime(tmp_path / "a")
    assert damage(tmp_path, entry) == ""
    (tmp_path / "a").write_bytes(b"heavier weights")
    assert damage(tmp_path, entry) == "altered: 15 bytes instead of 7"
    (tmp_path / "a").write_bytes(b"WEIGHTS")
    assert damage(tmp_path, entry) == "altered: another checksum"
    os.utime(tmp_path / "a", ns=(entry.mtime_ns, entry.mtime_ns))
    assert damage(tmp_path, entry, thorough=True) == "altered: another checksum"
    (tmp_path / "a").unlink()
    assert damage(tmp_path, entry) == "missing"
    (tmp_path / "a").mkdir()
    assert damage(tmp_path, entry) == "no regular file"


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link in the place of a file, or of a directory on the way to it, is damage."""
    (tmp_path / "run").mkdir()
    entry = on_disk(tmp_path, "real")
    (tmp_path / "run" / "link").symlink_to(tmp_path / "real")
    assert "symbolic link" in damage(tmp_path / "run", replace(entry, file="link"))
    (tmp_path / "run" / "up").symlink_to(tmp_path)
    assert "symbolic link" in damage(tmp_path / "run", replace(entry, file="up/real"))


def test_what_a_killed_run_leaves_is_settled_by_the_files(tmp_path: Path) -> None:
    """A file that was announced has arrived or has not; one that was to be deleted no longer counts."""
    old, new = on_disk(tmp_path, "a", b"old"), on_disk(tmp_path, "a", b"new")
    announced = Manifest((old,)).with_saved(replace(new, state=State.WRITING))
    assert [entry.complete for entry in announced.saved] == [False, False]
    assert recovered(tmp_path, announced).saved == (new,)
    (tmp_path / "a").write_bytes(b"old")
    assert recovered(tmp_path, announced).saved == (old,)
    deleted = announced.with_state(["a"], State.DELETING)
    assert recovered(tmp_path, deleted).saved == ()


@given(st.lists(st.none() | numbers, max_size=8), st.sampled_from(("min", "max")))
def test_best(values: list[float | None], mode: str) -> None:
    """The best is no worse than any other, the first among equals, and never NaN."""
    listed = [saved(str(number), value, mode=mode) for number, value in enumerate(values)]
    best = best_entry(listed)
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known:
        assert best is None
        return
    assert best is not None
    top = max(known) if mode == "max" else min(known)
    assert best.value == top
    assert best is listed[values.index(top)]


def test_bests() -> None:
    """Every series has a best one by each value that it was monitored by."""
    listed = [saved("a", 2.0), saved("b", 1.0), replace(saved("c", 5.0), monitor="acc", mode="max")]
    assert [entry.file for entry in bests(listed)] == ["b", "c"]


def test_states_of_the_users_own() -> None:
    """States and notes of Python's, NumPy's or any numbers become those of a manifest; others are refused."""
    state = {
        "a": np.int64(3),
        "b": np.float32(0.5),
        "c": [1, np.float64(2.5)],
        "d": np.arange(2),
        "e": "nan",
        "f": None,
    }
    checked = checked_state({**state, "f": None})
    assert checked == {"a": 3, "b": 0.5, "c": (1, 2.5), "d": (0, 1), "e": "nan", "f": None}
    assert [type(value) for value in (checked["a"], checked["b"])] == [int, float]
    assert repr(checked_state({"x": float("nan"), "y": [float("inf")]})) == "{'x': nan, 'y': (inf,)}"
    assert checked_notes({"lr": np.float64(0.5), "from": "base.keras"}) == {"lr": 0.5, "from": "base.keras"}
    for wrong in ({"a": object()}, {"a": "x" * 1001}, {3: 1}, {"a": "\ud800"}, {"a": [0] * 10_001}, {"a": np.eye(2)}):
        with pytest.raises((ValueError, TypeError)):
            checked_state(wrong)
    for wrong in ({"a": None}, {"a": [1]}, {"x" * 1001: 1}, dict.fromkeys(map(str, range(101)), 1)):
        with pytest.raises((ValueError, TypeError)):
            checked_notes(wrong)


REASONS: list[tuple[str, Any, str]] = [
    ("run", "\ud800", "run has half a character (a surrogate)"),
    ("notes", [], "notes are not an object of at most 100"),
    ("notes", {"a": None}, "a note is neither a text nor a number"),
    ("notes", {"a": [1]}, "a note is neither a text nor a number"),
    ("notes", {"\udc00": 1}, "a name is not a text of at most 1,000 characters"),
    ("notes", {"a": {"text": "b", "more": 1}}, "a state is not a text of at most 1,000 characters"),
    ("notes", {"a": {"text": "x" * 1001}}, "a state is not a text of at most 1,000 characters"),
    ("notes", {"a": {"text": 3}}, "a state is not a text of at most 1,000 characters"),
    ("generators", [], "generators are not an object of at most 100"),
    ("generators", dict.fromkeys(map(str, range(101)), ""), "generators are not an object of at most 100"),
    ("generators_before", {"a": 3}, "the state of a generator is not a text of at most 20,000 characters"),
    ("generators", {"a": "x" * 20_001}, "the state of a generator is not a text of at most 20,000 characters"),
    ("callbacks", [{"class": "C", "number": 0, "state": {"a": [0] * 10_001}}], "a state has more than 10,000 numbers"),
    ("callbacks", [{"class": "C", "number": 0, "state": {"a": [None]}}], "a state is not a number"),
]


@pytest.mark.parametrize(("key", "wrong", "reason"), REASONS, ids=lambda part: str(part)[:40])
def test_reasons_for_leaving_an_entry_out(key: str, wrong: Any, reason: str, tmp_path: Path) -> None:
    """The problem says what is wrong with the entry."""
    write_manifest(tmp_path, Manifest((saved("a"), saved("b"))), "a test")
    listed = json.loads((tmp_path / NAME).read_text())
    listed["checkpoints"][0][key] = wrong
    (tmp_path / NAME).write_text(json.dumps(listed))
    manifest = read_manifest(tmp_path)
    assert [entry.file for entry in manifest.saved] == ["b"]
    assert manifest.problems == (f"checkpoints.json: entry 1 is left out: {reason}",)


def test_many_problems_and_too_many_entries(tmp_path: Path) -> None:
    """Twenty problems are shown and the others counted; a list without end is no manifest."""
    (tmp_path / NAME).write_text(json.dumps({"version": 1, "checkpoints": [3] * 1025}))
    problems = read_manifest(tmp_path).problems
    assert (len(problems), problems[19][:29], problems[20]) == (
        21, "checkpoints.json: entry 20 is", "checkpoints.json: 1,005 more entries are left out",
    )  # fmt: skip
    (tmp_path / NAME).write_text(json.dumps({"version": 1, "checkpoints": [0] * 20_001}))
    with pytest.raises(UnsafeFileError, match="lists too many checkpoints"):
        read_manifest(tmp_path)
