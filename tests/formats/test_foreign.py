"""Files that are no checkpoint, or no longer one: the error says which file, what it is, and what to do."""

import contextlib
import gzip
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool import (
    CheckpointError,
    CorruptFileError,
    FileAccessError,
    UnknownFormatError,
    UnsafeFileError,
    UnsupportedError,
)
from ckpttool.formats import is_directory_of_checkpoints, suffix_note
from tests.samples import FIXTURES, keras_like, members, zipped

# (error, words of the message)
BROKEN: dict[str, tuple[type[CheckpointError], tuple[str, ...]]] = {
    "architecture.weights.json": (UnknownFormatError, ("architecture of a model", "weight_map", "next: ")),
    "bad_crc.keras": (CorruptFileError, ("config.json has a wrong CRC", "expected: ", "found: ", "next: ")),
    "empty.h5": (UnknownFormatError, ("is empty", "next: ")),
    "encrypted.keras": (UnsupportedError, ("encrypted", "next: decrypt")),
    "lfs_pointer.h5": (UnknownFormatError, ("git-lfs pointer", "98765432 bytes", "0123456789abcdef", "git lfs pull")),
    "missing_shard/model.weights.json": (CorruptFileError, ("model_00001.weights.h5 is missing", "expected: ")),
    "model.safetensors": (UnsupportedError, ("safetensors", "next: ")),
    "no_weights.keras": (UnknownFormatError, ("without weights", "model.weights.h5", "config.json", "next: ")),
    "page.h5": (UnknownFormatError, ("HTML page", "next: ")),
    "pickle.h5": (UnknownFormatError, ("a pickle", "never opens pickles")),
    "pytorch.keras": (UnsupportedError, ("PyTorch", "never opens pickles")),
    "text.h5": (UnknownFormatError, ("is text", "where the weights should have been", "expected: ")),
    "truncated.keras": (CorruptFileError, ("zip archive cut off", "found: ", "next: ")),
    "truncated.weights.h5": (CorruptFileError, ("truncated", "expected: ", "found: ", "next: ")),
}

STILL_LISTED = {
    "missing_shard/model_00000.weights.h5": "weights-h5",
    "no_config.keras": "keras-zip",
    "plain.h5": "hdf5",
    "zip_named.h5": "keras-zip",
}


def _tar() -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as out:
        out.addfile(tarfile.TarInfo("model.h5"))
    return raw.getvalue()


def _npz() -> bytes:
    raw = io.BytesIO()
    np.savez(raw, a=np.arange(3))
    return raw.getvalue()


def _npy() -> bytes:
    raw = io.BytesIO()
    np.save(raw, np.arange(3))
    return raw.getvalue()


def _old_torch() -> bytes:
    return b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"a": 1}))


def _zip(**parts: bytes) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as out:
        for name, data in parts.items():
            out.writestr(name, data)
    return raw.getvalue()


# name -> (content, error, words of the message)
FOREIGN: dict[str, tuple[bytes, type[CheckpointError], tuple[str, ...]]] = {
    "html with comment": (b"<!-- saved -->\n<HTML><body>404", UnknownFormatError, ("HTML page", "next: ")),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", UnknownFormatError, ("XML", "next: ")),
    "bare xml error": (b"<Error><Code>NoSuchKey</Code></Error>", UnknownFormatError, ("XML", "next: ")),
    "json": (b'{"answer": 42}', UnknownFormatError, ("JSON, but no index", "answer")),
    "json list": (b"[1, 2]", UnknownFormatError, ("JSON, but no index",)),
    "json with mark": (b'\xef\xbb\xbf{"answer": 42}', UnknownFormatError, ("no",)),
    "text": ("Grüße\n".encode(), UnknownFormatError, ("is text", "Grüße")),
    "old torch": (_old_torch(), UnsupportedError, ("PyTorch", "never opens pickles")),
    "torch zip": (_zip(**{"m/data.pkl": b"", "m/data/0": b"1"}), UnsupportedError, ("PyTorch", "pickles")),
    "pickle": (pickle.dumps([1], 4), UnknownFormatError, ("a pickle", "never opens pickles")),
    "npz": (_npz(), UnsupportedError, (".npz", "numpy.load")),
    "npy": (_npy(), UnknownFormatError, (".npy",)),
    "other zip": (_zip(**{"word/document.xml": b"1"}), UnknownFormatError, ("no .keras", "word/document.xml")),
    "empty zip": (_zip(), UnknownFormatError, ("no .keras", "no member at all")),
    "gzip": (gzip.compress(b"x" * 99), UnknownFormatError, ("gzip", "gunzip")),
    "bzip2": (b"BZh91AY&SY", UnknownFormatError, ("bzip2", "bunzip2")),
    "xz": (b"\xfd7zXZ\0\0\0", UnknownFormatError, ("xz", "unxz")),
    "zstandard": (b"\x28\xb5\x2f\xfd\0\0", UnknownFormatError, ("Zstandard", "unzstd")),
    "tar": (_tar(), UnknownFormatError, ("tar archive", "unpack")),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(20), UnknownFormatError, ("PNG image",)),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(20), UnknownFormatError, ("JPEG image",)),
    "program": (b"\x7fELF" + bytes(20), UnknownFormatError, ("a program", "do not run")),
    "lite": (b"\x20\0\0\0TFL3" + bytes(20), UnsupportedError, ("TensorFlow Lite",)),
    "text mode hdf5": (b"\x89HDF\n\x1a\n" + bytes(99), CorruptFileError, ("text mode", "binary mode")),
    "hdf5 with more returns": (b"\x89HDF\r\r\n\x1a\r\n" + bytes(99), CorruptFileError, ("text mode", "0d 0d 0a 1a 0d")),
    "hdf5 with one return": (b"\x89HDF\r\n\x1a\r\n" + bytes(99), CorruptFileError, ("text mode", "0d 0a 1a 0d 0a")),
    "hdf5 as text": (b"\xef\xbf\xbdHDF\r\n\x1a\n" + bytes(99), CorruptFileError, ("as text", "copy the file")),
    "hdf5 as latin text": (b"\xc2\x89HDF\r\n\x1a\n" + bytes(99), CorruptFileError, ("as text",)),
    "hdf5 with a mark": (b"\xef\xbb\xbf\xef\xbf\xbdHDF\r\n\x1a\n" + bytes(99), CorruptFileError, ("as text",)),
    "zip as text": (b"PK\x03\x04" + b"\xef\xbf\xbd" * 40 + b"PK\x05\x06", CorruptFileError, ("as text",)),
    "tensorflow.js": (
        b'{"format": "layers-model", "modelTopology": {"class_name": "x"}, "weightsManifest": []}',
        UnknownFormatError,
        ("TensorFlow.js", "tensorflowjs_converter"),
    ),
    "package.json": (b'{"name": "a", "version": "1", "scripts": {}}', UnknownFormatError, ("package.json", "npm")),
    "transformers": (
        b'{"architectures": ["BertModel"], "model_type": "bert"}',
        UnknownFormatError,
        ("Hugging Face", "tf_model.h5"),
    ),
    "metadata": (
        b'{"keras_version": "3.0.0", "date_saved": "x"}',
        UnknownFormatError,
        ("metadata.json", "directory"),
    ),
    "shards of torch": (
        b'{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}',
        UnsupportedError,
        ("another library", "model-00001-of-00002.safetensors"),
    ),
    "notebook": (b'{"cells": [], "nbformat": 4, "metadata": {}}', UnknownFormatError, ("Jupyter notebook",)),
    "broken json": (b'{"model_type": "bert", "transformers_version": ', UnknownFormatError, ("Hugging Face",)),
    "onnx": (b"\x08\x08\x12\x07pytorch\x1a\x052.0.1", UnsupportedError, ("ONNX",)),
    "onnx by its graph": (b"\x08\x03\x3a\x90\x03\x0a\x10\x0a\x01x", UnsupportedError, ("ONNX",)),
    "saved model": (b"\x08\x01\x12\x90\x03\x0a\x10\x0a\x01x", UnsupportedError, ("SavedModel",)),
    "a table cut off": (bytes(40) + bytes.fromhex("57fb808b247547db"), CorruptFileError, ("block",)),
    "an architecture of Keras 0": (
        b'{"layers": [], "loss": "mse", "optimizer": {}, "class_mode": null}',
        UnknownFormatError,
        ("is the architecture of a model of Keras 0", "next: name the file of the weights"),
    ),
    "sqlite": (b"SQLite format 3\0" + bytes(20), UnknownFormatError, ("SQLite",)),
    "start of hdf5": (b"\x89HDF\r\n", CorruptFileError, ("truncated within its first bytes", "6 bytes")),
    "zeros": (bytes(5000), UnknownFormatError, ("no checkpoint of Keras", "00 00 00", "expected: ")),
    "noise": (bytes(range(128, 256)) * 9, UnknownFormatError, ("no checkpoint of Keras", "80 81 82")),
    "one byte": (b"\xfe", UnknownFormatError, ("no checkpoint of Keras", "1 bytes")),
}


def message_of(path: object, kind: type[CheckpointError]) -> str:
    """The message of the error of exactly this kind that opening `path` raises."""
    with pytest.raises(CheckpointError) as caught:
        ckpttool.open(path).close()  # type: ignore[arg-type]
    assert type(caught.value) is kind
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken_fixture(name: str, run: Callable[..., Any]) -> None:
    """A broken fixture raises its own error, which names path, finding and next step; the command exits with 2."""
    kind, phrases = BROKEN[name]
    path = FIXTURES / "broken" / name
    message = message_of(path, kind)
    assert message.startswith(f"{path}: ")
    assert [word for word in phrases if word not in message] == []
    for command in ("ls", "info"):
        done = run(command, path)
        assert (done.code, done.out, done.err) == (2, "", f"error: {message}\n")


@pytest.mark.parametrize("name", sorted(STILL_LISTED))
def test_odd_fixture(name: str) -> None:
    """An odd fixture is opened as what its bytes are."""
    with ckpttool.open(FIXTURES / "broken" / name) as checkpoint:
        assert checkpoint.kind == STILL_LISTED[name]
        assert len(checkpoint)


def test_every_broken_fixture_is_tested() -> None:
    """No broken fixture is left out."""
    folder = FIXTURES / "broken"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == BROKEN.keys() | STILL_LISTED.keys()


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".bin"])
@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_foreign(name: str, suffix: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    """A file of another kind is named by its content, whatever its suffix; the command exits with 2."""
    content, kind, phrases = FOREIGN[name]
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    message = message_of(path, kind)
    assert message.startswith(f"{path}: ")
    assert [word for word in phrases if word not in message] == []
    done = run("ls", path)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {message}\n"


@pytest.mark.parametrize("start", ["class_name: Model\nconfig:\n", "backend: theano\nclass_name: Model\nconfig:\n"])
def test_architecture_in_yaml(start: str, tmp_path: Path) -> None:
    """It is named as such where a checkpoint is asked for."""
    (tmp_path / "model.yaml").write_text(f"{start}- class_name: Dense\n")
    message = message_of(tmp_path / "model.yaml", UnknownFormatError)
    assert "is the architecture of a model in YAML, not a checkpoint" in message
    assert "next: name the file of the weights" in message


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is a `FileAccessError`, which suggests a name that is like it."""
    (tmp_path / "model.keras").write_bytes(b"")
    assert "no such file" in message_of(tmp_path / "nothing", FileAccessError)
    assert "did you mean model.keras?" in message_of(tmp_path / "model.kears", FileAccessError)
    assert "no such file" in message_of(tmp_path / "no" / "folder" / "x.h5", FileAccessError)


@pytest.mark.parametrize("scheme", ["https", "http", "s3", "gs", "hf", "kaggle"])
@pytest.mark.parametrize("command", ["ls", "info", "check"])
def test_url(scheme: str, command: str, run: Callable[..., Any]) -> None:
    """A URL is named as one, as it was given, with what to do."""
    done = run(command, f"{scheme}://host/path/model.keras")
    assert done.code == 2
    assert "is a URL" in done.out + done.err
    assert "download it first" in done.out + done.err or command == "check"
    assert f"{scheme}://host/path/model.keras" in done.out + done.err


def test_what_the_shell_did_not_expand(tmp_path: Path) -> None:
    """A home directory or a pattern that reaches the command as it was typed is told to be that."""
    assert "did not expand ~" in message_of("~/model.keras", FileAccessError)
    assert "nothing matches the pattern" in message_of(tmp_path / "*.keras", FileAccessError)


def _to_crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _to_lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def _to_text(data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode()


@pytest.mark.parametrize(
    "source", ["keras3/mlp.keras", "keras2.15/mlp.keras", "keras3/mlp.h5", "keras3/mlp.weights.h5"]
)
@pytest.mark.parametrize(
    ("damage", "phrases"), [(_to_crlf, "text mode"), (_to_lf, "text mode"), (_to_text, "read as text")]
)
def test_transfers_as_text(source: str, damage: Callable[[bytes], bytes], phrases: str, tmp_path: Path) -> None:
    """Damage by ftp in text mode, git without attributes, or an editor is named by its cause."""
    path = tmp_path / Path(source).name
    path.write_bytes(damage((FIXTURES / source).read_bytes()))
    message = message_of(path, CorruptFileError)
    assert phrases in message
    assert "next: " in message


@pytest.mark.parametrize("flush", [False, True])
def test_a_save_that_never_finished(flush: bool, tmp_path: Path) -> None:
    """A file of h5py whose writer was killed is named as that."""
    path = tmp_path / "model.h5"
    code = (
        "import h5py, numpy, os, sys\n"
        "file = h5py.File(sys.argv[1], 'w')\n"
        "group = file.create_group('model_weights')\n"
        "group.attrs['layer_names'] = [b'a', b'b', b'c']\n"
        f"{'file.flush()' if flush else ''}\n"
        "file.create_dataset('model_weights/a/kernel', data=numpy.ones((300, 30)))\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    if not flush:
        assert "a save left that never finished" in message_of(path, CorruptFileError)
        return
    with ckpttool.open(path) as checkpoint:
        (refusal,) = [refusal for refusal in checkpoint.refusals if refusal.kind == "missing"]
    assert refusal.place == "model_weights/a and 2 more groups of layers"
    assert "a save that never finished" in refusal.detail


def test_hdf5_of_another_program(tmp_path: Path, run: Callable[..., Any]) -> None:
    """Arrays that are no numbers are told in one line, and whose file it may be."""
    path = tmp_path / "table.h5"
    with h5py.File(path, "w") as file:
        file.attrs["PYTABLES_FORMAT_VERSION"] = "2.1"
        for number in range(30):
            file[f"text_{number}"] = f"text {number}"
    done = run("ls", path)
    assert done.code == 2
    assert done.err.count("warning: ") == 3
    assert "and 29 more arrays like it" in done.err
    assert "looks like a file of pandas or PyTables" in done.err
    checked = run("check", path, "--select", "I")
    assert (checked.code, checked.out.count("error      I"), "error      I104" in checked.out) == (1, 1, True)


def test_backslashes_of_windows(tmp_path: Path, run: Callable[..., Any]) -> None:
    """Names with backslashes are told to come from Windows, with the way out."""
    parts = members("keras2.15/mlp.keras")
    inner, path = tmp_path / "inner", tmp_path / "m.keras"
    with h5py.File(io.BytesIO(parts["model.weights.h5"])) as old, h5py.File(inner, "w") as new:
        for name in ("layers/dense/vars", "layers/dense_1/vars"):
            old.copy(name, new, name=name.replace("layers/", "layers\\"))
    zipped(path, {**parts, "model.weights.h5": inner.read_bytes()})
    for args in (["info", path], ["ls", path], ["verify", path, FIXTURES / "keras3/mlp.keras"]):
        assert "as Keras 2.12 to 2.15 wrote them on Windows" in run(*args).err


def test_file_as_folder(tmp_path: Path) -> None:
    """A path through a file is a `FileAccessError`."""
    (tmp_path / "file").write_bytes(b"x")
    message_of(tmp_path / "file" / "inside.h5", FileAccessError)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_fifo(tmp_path: Path) -> None:
    """A FIFO is refused without waiting for a writer."""
    os.mkfifo(tmp_path / "pipe.h5")
    message = message_of(tmp_path / "pipe.h5", FileAccessError)
    assert "is a FIFO" in message
    assert "a regular file" in message


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="this system has no /dev")
def test_device() -> None:
    """A device is refused."""
    assert "character device" in message_of("/dev/null", FileAccessError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    """A file that may not be read says so."""
    path = tmp_path / "secret.h5"
    path.write_bytes(b"x")
    path.chmod(0)
    assert "ermission" in message_of(path, FileAccessError)


@pytest.mark.parametrize("case", ["directory", "SavedModel", "checkpoints of TensorFlow"])
def test_directory(tmp_path: Path, case: str) -> None:
    """A directory is named: empty or foreign, a SavedModel as text, several checkpoints of TensorFlow."""
    if case == "SavedModel":
        (tmp_path / "saved_model.pbtxt").write_bytes(b"")
    if case == "checkpoints of TensorFlow":
        (tmp_path / "ckpt-1.index").write_bytes(b"")
        (tmp_path / "ckpt-2.index").write_bytes(b"")
    kinds = {
        "directory": FileAccessError,
        "SavedModel": UnsupportedError,
        "checkpoints of TensorFlow": UnknownFormatError,
    }
    message = message_of(tmp_path, kinds[case])
    assert case in message
    assert "next: " in message
    assert is_directory_of_checkpoints(tmp_path) is True


def test_path_with_nul() -> None:
    """A path that no system has is a `FileAccessError`, and no directory."""
    assert "is not a valid path" in message_of("a\0b.h5", FileAccessError)
    assert not is_directory_of_checkpoints(Path("a\0b"))


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_control_characters_in_path(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A path with control characters reaches the terminal escaped, in errors and in listings."""
    folder = tmp_path / "a\x1b[2Jb\u202ec"
    folder.mkdir()
    shutil.copy(FIXTURES / "keras3/mlp.weights.h5", folder / "mlp.weights.h5")
    for args in (["ls", folder / "no.h5"], ["ls", folder / "mlp.weights.h5"], ["info", folder / "mlp.weights.h5"]):
        done = run(*args)
        assert "\\x1b[2J" in done.out + done.err
        assert "\\u202e" in done.out + done.err
        assert not {"\x1b", "\u202e"} & set(done.out + done.err)


def test_suffix_is_not_believed(tmp_path: Path) -> None:
    """Content decides; a suffix that promises something else is noted, one that fits is not."""
    for source, name, kind in (
        ("keras3/mlp.keras", "model.h5", "keras-zip"),
        ("keras3/mlp.h5", "model.keras", "legacy-model"),
        ("keras3/mlp.weights.h5", "model", "weights-h5"),
        ("keras2.15/mlp_weights.h5", "model.weights.h5", "legacy-weights"),
    ):
        shutil.copy(FIXTURES / source, tmp_path / name)
        with ckpttool.open(tmp_path / name) as checkpoint:
            assert checkpoint.kind == kind
            assert len(checkpoint.notes) == 1
            assert "the content is" in checkpoint.notes[0]
    assert suffix_note("MODEL.KERAS", "keras-zip") == ""
    assert suffix_note("weights.hd5", "legacy-weights") == ""


def test_index_under_another_name(tmp_path: Path) -> None:
    """An index of shards is known by its content, too."""
    folder = shutil.copytree(FIXTURES / "keras3/sharded", tmp_path / "s")
    (folder / "sharded.weights.json").rename(folder / "renamed.json")
    with ckpttool.open(folder / "renamed.json") as checkpoint:
        assert checkpoint.kind == "sharded"
        assert len(checkpoint) == 8


# What is done to the index or its folder -> (error, words)
SHARD_FAULTS: dict[str, tuple[type[CheckpointError], tuple[str, ...]]] = {
    "missing": (CorruptFileError, ("first.weights.h5 is missing", "expected: ")),
    "foreign": (UnknownFormatError, ("where: shard first.weights.h5", "is text")),
    "empty": (UnknownFormatError, ("where: shard first.weights.h5", "is empty")),
    "link": (UnsafeFileError, ("symbolic link", "next: ")),
    "folder": (FileAccessError, ("a directory",)),
    "above": (UnsafeFileError, ("../first.weights.h5", "plain file name")),
    "absolute": (UnsafeFileError, ("/etc/passwd", "plain file name")),
    "number": (CorruptFileError, ("something else than file names",)),
    "no map": (CorruptFileError, ("lists no weights",)),
    "map is a list": (UnknownFormatError, ("no index", "weight_map")),
    "twice": (CorruptFileError, ("repeats a weight", "where: ")),
}


@pytest.mark.parametrize("fault", sorted(SHARD_FAULTS))
def test_shards(fault: str, tmp_path: Path) -> None:
    """Shards that are missing, foreign or elsewhere are refused, and the error says which."""
    shard, kind_and_phrases = tmp_path / "first.weights.h5", SHARD_FAULTS[fault]
    shutil.copy(FIXTURES / "keras3/mlp.weights.h5", shard)
    named: Any = {"above": "../first.weights.h5", "absolute": "/etc/passwd", "number": 7}.get(fault, shard.name)
    weight_map: Any = {"/layers/dense/vars": named}
    if fault in ("missing", "link", "folder"):
        shard.rename(tmp_path / "other.bin")
    if fault == "link":
        shard.symlink_to(tmp_path / "other.bin")
    if fault == "folder":
        shard.mkdir()
    if fault in ("foreign", "empty"):
        shard.write_bytes(b"text" if fault == "foreign" else b"")
    if fault == "twice":
        shutil.copy(shard, tmp_path / "second.weights.h5")
        weight_map = {"/layers/dense/vars": [shard.name, "second.weights.h5"]}
    if fault in ("no map", "map is a list"):
        weight_map = {} if fault == "no map" else []
    index = tmp_path / "model.weights.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    message = message_of(index, kind_and_phrases[0])
    assert message.startswith(f"{shard if fault == 'folder' else index}: ")
    assert [word for word in kind_and_phrases[1] if word not in message] == []


def test_shards_that_differ_from_the_index(tmp_path: Path) -> None:
    """Weights that the index names and no shard has are refused by name; so are extra shards; the others are listed."""
    folder = shutil.copytree(FIXTURES / "keras3/sharded", tmp_path / "s")
    index = json.loads((folder / "sharded.weights.json").read_text())
    index["weight_map"]["/layers/nothing/vars"] = "sharded_00000.weights.h5"
    index["metadata"] = {}
    (folder / "sharded.weights.json").write_text(json.dumps(index))
    shutil.copy(folder / "sharded_00000.weights.h5", folder / "sharded_00009.weights.h5")
    with ckpttool.open(folder / "sharded.weights.json") as checkpoint:
        assert len(checkpoint) == 8
        refusals = {(refusal.kind, refusal.place) for refusal in checkpoint.refusals}
    assert refusals == {
        ("missing", "layers/nothing/vars"),
        ("corrupt", "metadata.total_size"),
        ("extra", "sharded_00009.weights.h5"),
    }


def test_wrong_crc_of_weights(tmp_path: Path) -> None:
    """A changed byte among the weights is found by the CRC of its member."""
    data = bytearray((FIXTURES / "keras3/mlp.keras").read_bytes())
    with ckpttool.open(FIXTURES / "keras3/mlp.keras") as checkpoint:
        stored = checkpoint["layers/dense/vars/0"].read().tobytes()
    data[data.index(stored) + 3] ^= 1
    path = tmp_path / "changed.keras"
    path.write_bytes(data)
    message = message_of(path, CorruptFileError)
    assert "model.weights.h5 has a wrong CRC" in message
    assert "next: " in message


def test_wrong_crc_of_large_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are too large to be checked at once are checked before values are shown."""
    from ckpttool.formats import keras_zip
    from ckpttool.inspection.listing import Choice, list_checkpoint

    monkeypatch.setattr(keras_zip, "CHECKED_AT_ONCE", 100)
    data = bytearray((FIXTURES / "keras3/mlp.keras").read_bytes())
    with ckpttool.open(FIXTURES / "keras3/mlp.keras") as checkpoint:
        data[data.index(checkpoint["layers/dense/vars/0"].read().tobytes())] ^= 1
    path = tmp_path / "changed.keras"
    path.write_bytes(data)
    with ckpttool.open(path) as checkpoint:
        assert list_checkpoint(checkpoint).rows
        with pytest.raises(CorruptFileError, match="wrong CRC"):
            list_checkpoint(checkpoint, Choice(stats=True))


@pytest.mark.parametrize(
    ("content", "kind", "phrases"),
    [
        (b"", UnknownFormatError, "is empty"),
        (b"text", UnknownFormatError, "is text"),
        (pickle.dumps(1), UnknownFormatError, "a pickle"),
        (b"\x89HDF\r\n\x1a\n", CorruptFileError, "truncated"),
    ],
    ids=["empty", "text", "pickle", "cut"],
)
def test_foreign_weights_member(content: bytes, kind: type[CheckpointError], phrases: str, tmp_path: Path) -> None:
    """A weights member that is no HDF5 is named as what it is, and as that member."""
    message = message_of(keras_like(tmp_path / "model.keras", model=content), kind)
    assert phrases in message
    assert "where: model.weights.h5" in message


@pytest.mark.parametrize("config", [None, b"", b"{", b"[1]", b"null", b"\xff\xff\xff", b'{"a": 1, "a": 2}'])
def test_bad_config(config: bytes | None, tmp_path: Path) -> None:
    """A missing or broken config is refused, and the weights are listed all the same."""
    with ckpttool.open(keras_like(tmp_path / "model.keras", config=config)) as checkpoint:
        assert len(checkpoint) == 14
        assert {refusal.place for refusal in checkpoint.refusals} == {"config.json"}


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        (b"{", "corrupt"),
        (b'{"keras_version": 3, "date_saved": null}', "corrupt"),
        (b'{"keras_version": "3.0\\u001b[2J"}', "name"),
        (json.dumps({"keras_version": "3" * 1000}).encode(), "name"),
    ],
    ids=["broken", "number", "control", "long"],
)
def test_bad_metadata(metadata: bytes, kind: str, tmp_path: Path) -> None:
    """Broken metadata is refused, and the weights are listed all the same."""
    with ckpttool.open(keras_like(tmp_path / "model.keras", metadata=metadata)) as checkpoint:
        assert len(checkpoint) == 14
        assert {(refusal.kind, refusal.place) for refusal in checkpoint.refusals} == {(kind, "metadata.json")}


def test_suspicious_members(tmp_path: Path) -> None:
    """Members that lead elsewhere, run, or are named twice are refused by name; nothing is written anywhere."""
    parts = members("keras3.0/mlp.keras")
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as out:
        for name, data in parts.items():
            out.writestr(name, data)
        for name in ("../up.txt", "/etc/x", "C:\\x", "run.py", "CONFIG.JSON", "aux"):
            out.writestr(name, b"")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        out.writestr(link, "/etc/passwd")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as out:
        out.writestr("metadata.json", parts["metadata.json"])
    before = sorted(tmp_path.parent.rglob("*"))
    with ckpttool.open(path) as checkpoint:
        assert len(checkpoint) == 14
        refusals = {(refusal.place, refusal.kind) for refusal in checkpoint.refusals}
    assert sorted(tmp_path.parent.rglob("*")) == before
    assert refusals == {
        ("../up.txt", "archive"),
        ("/etc/x", "archive"),
        ("C:\\x", "archive"),
        ("aux", "archive"),
        ("link", "archive"),
        ("run.py", "program"),
        ("CONFIG.JSON", "ambiguous"),
        ("config.json", "ambiguous"),
        ("metadata.json", "ambiguous"),
    }


def test_two_kinds_in_one_file(tmp_path: Path) -> None:
    """An HDF5 file with a zip archive behind it is read as HDF5, and said to be both."""
    path = tmp_path / "both.h5"
    path.write_bytes((FIXTURES / "keras3/mlp.h5").read_bytes() + (FIXTURES / "keras3.0/mlp.keras").read_bytes())
    with ckpttool.open(path) as checkpoint:
        assert checkpoint.kind == "legacy-model"
        assert "ambiguous" in {refusal.kind for refusal in checkpoint.refusals}
        assert any("zip archive at once" in refusal.detail for refusal in checkpoint.refusals)


def test_unknown_compression(tmp_path: Path) -> None:
    """A member compressed in a way Keras never uses is named, with the way."""
    path = zipped(tmp_path / "model.keras", members("keras3.0/mlp.keras"), zipfile.ZIP_LZMA)
    with pytest.raises(UnsupportedError, match="lzma"):
        ckpttool.open(path)


def test_member_that_inflates_out_of_proportion(tmp_path: Path) -> None:
    """A weights member that claims to be far larger than it can be is refused before it is inflated."""
    path = zipped(tmp_path / "model.keras", members("keras3.0/mlp.keras"), zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("model.weights.h5")
    at = data.rindex(struct.pack("<I", info.file_size), 0, len(data) - 22)
    data[at : at + 4] = struct.pack("<I", 0xFFFFFFF0 + 8)
    path.write_bytes(data)
    message = message_of(path, CorruptFileError)
    assert "next: " in message or "found: " in message


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("name", ["keras3/mlp.keras", "keras3/deflated.keras"])
def test_damaged_anywhere(name: str, tenth: int, tmp_path: Path) -> None:
    """A stretch of zeros anywhere in an archive is a `CheckpointError` or harmless, and nothing else."""
    data = bytearray((FIXTURES / name).read_bytes())
    start = len(data) * tenth // 10
    data[start : start + 64] = bytes(min(64, len(data) - start))
    path = tmp_path / "damaged.keras"
    path.write_bytes(data)
    with ckpttool.open(FIXTURES / name) as checkpoint:
        intact = {weight.path: weight.read().tobytes() for weight in checkpoint.values()}
    with contextlib.suppress(CheckpointError), ckpttool.open(path) as checkpoint:
        assert {weight.path: weight.read().tobytes() for weight in checkpoint.values()} == intact


def test_every_shard_has_its_refusals(tmp_path: Path) -> None:
    """A weight that may not be read is refused whichever shard it is in, the first one too."""
    index = {"metadata": {"total_size": 8.0}, "weight_map": {}}
    for number in range(3):
        group = f"layers/dense_{number}/vars"
        shard = f"it_{number:05}.weights.h5"
        index["weight_map"][f"/{group}"] = [shard]
        with h5py.File(tmp_path / shard, "w") as file:
            file.create_group(group)["0"] = np.zeros(3, "S4")
    (tmp_path / "it.weights.json").write_text(json.dumps(index))
    with ckpttool.open(tmp_path / "it.weights.json") as checkpoint:
        assert [refusal.place for refusal in checkpoint.refusals] == [f"layers/dense_{n}/vars/0" for n in range(3)]


def test_a_member_that_begins_where_hdf5_is_looked_for(tmp_path: Path) -> None:
    """An archive is no HDF5 file because its weights happen to stand at byte 512, 1024 or 2048; under another name than
    .keras that is told, since Keras then opens it as HDF5."""
    parts = members("keras3.0/mlp.keras")
    for start in (512, 1024, 2048):
        config = parts["config.json"]
        for name in ("a.keras", "a.h5"):
            padding = start - 30 - len("model.weights.h5") - 30 - len("padding")
            path = zipped(
                tmp_path / name,
                {"padding": b" " * padding, "model.weights.h5": parts["model.weights.h5"], "config.json": config},
            )
            assert path.read_bytes()[start : start + 4] == b"\x89HDF"
            with ckpttool.open(path) as checkpoint:
                assert (checkpoint.kind, len(checkpoint)) == ("keras-zip", 14)
                is_ambiguous = any(refusal.kind == "ambiguous" for refusal in checkpoint.refusals)
            assert is_ambiguous == (name == "a.h5")
