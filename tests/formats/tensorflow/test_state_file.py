"""Directories of checkpoints as TensorFlow's state file lists them: order, numbers, what is missing, what is left."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import CheckpointError
from ckpttool.formats.tensorflow.state_file import State, read_state
from tests.samples import FIXTURES

MANAGED = FIXTURES / "tensorflow/2.15/managed"
Run = Callable[..., Any]


def directory(folder: Path, names: str, state: str) -> Path:
    """A directory of checkpoints of these prefixes with a state file."""
    home = folder / "run"
    home.mkdir(exist_ok=True)
    for name in names.split():
        for part in ("index", "data-00000-of-00001"):
            shutil.copy(MANAGED / f"ckpt-20.{part}", home / f"{name}.{part}")
    (home / "checkpoint").write_text(state)
    return home


def listed(run: Run, home: Path) -> list[tuple[str, Any, Any]]:
    """The names that `ls` lists, in its order, with their numbers and whether they are the newest."""
    entries = json.loads(run("ls", home, "-o", "json").out)["checkpoints"]
    facts = [entry.get("kept", {}) for entry in entries]
    names = [Path(entry["path"]).name.removesuffix(".index") for entry in entries]
    return [(name, entry.get("step"), entry.get("newest")) for name, entry in zip(names, facts, strict=True)]


def test_checkpoints_of_keras(run: Run, tmp_path: Path) -> None:
    """ModelCheckpoint of tf.keras lists its last one alone: those that are numbered like it come before, in order."""
    state = 'model_checkpoint_path: "cp-10.ckpt"\nall_model_checkpoint_paths: "cp-10.ckpt"\n'
    home = directory(tmp_path, "another cp-10.ckpt cp-2.ckpt cp-9.ckpt", state)
    names = ["cp-2.ckpt", "cp-9.ckpt", "cp-10.ckpt", "another"]
    assert listed(run, home) == [(name, None, name == "cp-10.ckpt" if name != "another" else None) for name in names]


def test_checkpoints_that_a_manager_keeps_for_good(run: Run, tmp_path: Path) -> None:
    """Checkpoints of `keep_checkpoint_every_n_hours` are in no list, and come before those that are."""
    state = (
        'model_checkpoint_path: "ckpt-9"\nall_model_checkpoint_paths: "ckpt-8"\nall_model_checkpoint_paths: "ckpt-9"\n'
    )
    home = directory(tmp_path, "ckpt-10 ckpt-6 ckpt-8 ckpt-9", state)
    assert listed(run, home) == [
        ("ckpt-6", 6, False),
        ("ckpt-10", 10, False),
        ("ckpt-8", 8, False),
        ("ckpt-9", 9, True),
    ]


_STATES = {
    "octal": (r'model_checkpoint_path: "/d\303\251p\303\264t/mod\303\250le-1"', "mod\u00e8le-1"),
    "hexadecimal": (r'model_checkpoint_path: "/a/mod\xc3\xa8le-1"', "mod\u00e8le-1"),
    "as it is": ('model_checkpoint_path: "mod\u00e8le-1"', "mod\u00e8le-1"),
    "single quotes": ("model_checkpoint_path: 'a/ckpt-1'", "ckpt-1"),
    "quotes inside": (r'model_checkpoint_path: "a \"b\"-1"', 'a "b"-1'),
    "one line": ('all_model_checkpoint_paths: "ckpt-0" model_checkpoint_path: "ckpt-1"', "ckpt-1"),
    "comment": ('# model_checkpoint_path: "ckpt-0"\r\nmodel_checkpoint_path: "ckpt-1"\r\n', "ckpt-1"),
    "twice": ('model_checkpoint_path: "ckpt-0"\nmodel_checkpoint_path: "ckpt-1"', "ckpt-1"),
    "another field": ('the_model_checkpoint_path: "ckpt-0"', ""),
    "no name": ('model_checkpoint_path: "runs/"', ""),
    "parent": ('model_checkpoint_path: "runs/.."', ""),
    "too long": (f'model_checkpoint_path: "{"x" * 300}"', ""),
    "zero byte": (r'model_checkpoint_path: "ck\000pt"', ""),
    "open": ('model_checkpoint_path: "ckpt-1', ""),
}


@pytest.mark.parametrize("case", _STATES)
def test_spellings(case: str, tmp_path: Path) -> None:
    """Paths are read as protobuf writes them, and what is no name of a checkpoint is none."""
    state, name = _STATES[case]
    (tmp_path / "checkpoint").write_bytes(state.encode())
    assert read_state(tmp_path).newest == name
    with pytest.raises(CheckpointError):
        ckpttool.open(tmp_path)


def test_large_state_files(tmp_path: Path) -> None:
    """A large state file that names nothing gives nothing; of one that is larger than 1 MiB, the rest is not read."""
    state = tmp_path / "checkpoint"
    for text in ("model_checkpoint_path" + " " * 1_000_000, "\\\\" * 500_000):
        state.write_text(text)
        assert read_state(tmp_path) == State()
    state.write_text('model_checkpoint_path:"' * 50_000)
    assert read_state(tmp_path).newest == "model_checkpoint_path:"
    line, last = 'all_model_checkpoint_paths: "ckpt-1"\n', 'model_checkpoint_path: "ckpt-2"\n'
    state.write_text(line * 20_000 + last)
    assert read_state(tmp_path) == State("ckpt-2", ("ckpt-1", "ckpt-2"), (None, None))
    state.write_text(line * 40_000 + last)
    assert read_state(tmp_path) == State("", ("ckpt-1",), (None,))


def test_missing_checkpoints(run: Run, tmp_path: Path) -> None:
    """A checkpoint that the state file lists and that is missing is named; if it is the newest, the directory leads to
    none."""
    state = (MANAGED / "checkpoint").read_text()
    home = directory(tmp_path, "ckpt-20 ckpt-30", state)
    done = run("ls", home)
    assert done.code == 0
    assert "checkpoint lists ckpt-40, of which the index is missing" in done.err
    assert [name for name, _, _ in listed(run, home)] == ["ckpt-20", "ckpt-30"]
    for name in ("", "checkpoint"):
        with pytest.raises(CheckpointError, match=r"newest(, ckpt-40,)? is missing(.|\n)*ckpt-40\.index"):
            ckpttool.open(home / name)
    home = directory(tmp_path / "run", "ckpt-30", state)
    with ckpttool.open(home) as checkpoint:
        assert "newest checkpoint of its directory, ckpt-40, is missing" in checkpoint.notes[0]


def test_what_belongs_to_no_checkpoint(run: Run, tmp_path: Path) -> None:
    """Files of killed saves, and values without an index, are named; a file beside its own index is named there."""
    home = Path(shutil.copytree(MANAGED, tmp_path / "run"))
    for name in ("ckpt-50_temp", "ckpt-40_temp"):
        (home / name).mkdir()
    for name in ("ckpt-60.data-00000-of-00001", "ckpt-70.index.tempstate123", "checkpoint.tmp0a1b", "checkpoint.tmp"):
        (home / name).write_bytes(b"x")
    done = run("ls", home)
    assert done.code == 0
    named = re.findall(r"run: (\S+)( is missing beside|: what a save leaves)", done.err)
    assert sorted(name for name, _ in named) == [
        "checkpoint.tmp0a1b",
        "ckpt-50_temp",
        "ckpt-60.index",
        "ckpt-70.index.tempstate123",
    ]
    assert "ckpt-40_temp" in done.err


@pytest.mark.parametrize("output", ["text", "csv", "markdown", "html", "json"])
def test_outputs(output: str, run: Run) -> None:
    """Every output of a directory has the number, the time and which is the newest."""
    done = run("ls", MANAGED, "-o", output)
    assert done.code == 0
    assert re.search(r"2026-\d\d-\d\d \d\d:\d\d:\d\d UTC", done.out)
    assert "newest" in done.out
    assert "40" in done.out
