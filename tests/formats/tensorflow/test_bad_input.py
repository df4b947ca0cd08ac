"""Files and directories around TensorFlow that are no checkpoint, or a damaged one: what they are, and what to do."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import CheckpointError
from tests.formats.tensorflow import writer
from tests.formats.tensorflow.writer import number, span
from tests.samples import FIXTURES

HOME = FIXTURES / "tensorflow/2.15"
INDEX, SHARD = "ckpt-20.index", "ckpt-20.data-00000-of-00001"
Run = Callable[..., Any]


def checkpoint(folder: Path, index: str = INDEX, shard: str = SHARD) -> Path:
    """A directory with one checkpoint, whose files have these names."""
    folder.mkdir(exist_ok=True)
    shutil.copy(HOME / "managed" / INDEX, folder / index)
    shutil.copy(HOME / "managed" / SHARD, folder / shard)
    return folder


_RENAMED = {
    "browser, index": ("ckpt-20 (1).index", SHARD, "ckpt-20 (1).index"),
    "browser, shard": (INDEX, "ckpt-20 (1).data-00000-of-00001", INDEX),
    "browser, at the end": (INDEX, f"{SHARD} (2)", INDEX),
    "text, both": (f"{INDEX}.txt", f"{SHARD}.txt", f"{INDEX}.txt"),
    "text, shard": (INDEX, f"{SHARD}.txt", INDEX),
    "capitals": (INDEX.upper(), SHARD.upper(), INDEX.upper()),
    "cut off": (INDEX, "ckpt-20.data", INDEX),
    "copy": (INDEX, f"ckpt-20 - Copy{SHARD[7:]}", INDEX),
}


@pytest.mark.parametrize("case", _RENAMED)
def test_renamed_shards(case: str, tmp_path: Path) -> None:
    """A shard that was renamed on its way is missing, and the file beside that looks like it is named."""
    index, shard, name = _RENAMED[case]
    with ckpttool.open(checkpoint(tmp_path / "run", index, shard) / name) as opened:
        assert [refusal.kind for refusal in opened.refusals] == ["missing"]
        assert f"{shard} beside it looks like it: rename it" in opened.refusals[0].detail


def test_files_with_the_same_addition(tmp_path: Path) -> None:
    """Index and shards that were renamed alike are a checkpoint."""
    home = checkpoint(tmp_path / "run", "ckpt-20 (1).index", "ckpt-20 (1).data-00000-of-00001")
    with ckpttool.open(home) as opened:
        assert opened.refusals == ()


@pytest.mark.parametrize(
    ("index", "shard", "name", "message"),
    [
        (f"{INDEX}.txt", SHARD, SHARD, rf"index.* missing(.|\n)*rename {INDEX}.txt to {INDEX}"),
        (INDEX, f"{SHARD}.txt", f"{SHARD}.txt", rf"has another name than(.|\n)*rename it to {SHARD}"),
        (f"{INDEX}.txt", f"{SHARD}.txt", ".", rf"not its index(.|\n)*rename {INDEX}.txt to {INDEX}"),
    ],
)
def test_renamed_indexes(index: str, shard: str, name: str, message: str, tmp_path: Path) -> None:
    """A file beside an index that was renamed, or one that was renamed itself, says which."""
    with pytest.raises(CheckpointError, match=message):
        ckpttool.open(checkpoint(tmp_path / "run", index, shard) / name)


def test_cut_off_shard(tmp_path: Path) -> None:
    """A shard that was cut off is refused once, however many tensors it has lost."""
    model = Path(shutil.copytree(HOME / "sequential", tmp_path / "model"))
    shard = model / "variables/variables.data-00000-of-00001"
    whole = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:100])
    with ckpttool.open(model) as opened:
        assert [(refusal.kind, refusal.place) for refusal in opened.refusals if refusal.kind == "corrupt"] == [
            ("corrupt", shard.name)
        ]
        assert f"cut off, expected {whole:,} bytes, found 100" in opened.refusals[0].detail
        lost = [weight for weight in opened.values() if not _is_readable(weight)]
        assert 0 < len(lost) < len(opened)


def _is_readable(weight: Any) -> bool:
    try:
        weight.read()
    except CheckpointError:
        return False
    return True


def test_index_of_another_save(tmp_path: Path) -> None:
    """Values that do not fit the checksums of an index may be of another save, and that is said."""
    home = checkpoint(tmp_path / "run")
    shutil.copy(HOME / "managed/ckpt-40.data-00000-of-00001", home / SHARD)
    with ckpttool.open(home) as opened, pytest.raises(CheckpointError, match="index is of another save"):
        opened["net/.ATTRIBUTES/VARIABLE_VALUE"].read()


_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 200\n"
_GRAPHS = {
    "pointer": (lambda _: _LFS, "is a git-lfs pointer"),
    "nothing": (lambda _: b"", "is empty"),
    "page": (lambda _: b"<!DOCTYPE html><html></html>", "is an HTML page"),
    "compressed": (lambda _: b"\x1f\x8b\x08" + bytes(50), "is a gzip-compressed file"),
    "line ends": (lambda raw: raw.replace(b"\n", b"\r\n"), "transfer in text mode"),
    "text": (lambda raw: raw.decode("utf-8", "replace").encode(), "was read as text and written again"),
    "half": (lambda raw: raw[: len(raw) // 2], "it was cut off"),
}


@pytest.mark.parametrize("case", _GRAPHS)
def test_damaged_graphs(case: str, tmp_path: Path) -> None:
    """A `saved_model.pb` that is something else is called so."""
    change, message = _GRAPHS[case]
    model = Path(shutil.copytree(HOME / "sequential", tmp_path / "model"))
    graph = model / "saved_model.pb"
    graph.write_bytes(change(graph.read_bytes()))
    for path in (model, graph):
        with pytest.raises(CheckpointError, match=message):
            ckpttool.open(path)


def test_variables_that_are_missing(run: Run, tmp_path: Path) -> None:
    """A SavedModel without its values lists none, and says so; it is not converted, for that reason first."""
    for name, remove in (("none", shutil.rmtree), ("index", lambda path: (path / "variables.index").unlink())):
        model = Path(shutil.copytree(HOME / "sequential", tmp_path / name))
        remove(model / "variables")
        with ckpttool.open(model) as opened:
            assert [refusal.kind for refusal in opened.refusals] == ["missing"]
            assert "copy the folder `variables`" in opened.refusals[0].detail
        done = run("convert", model, tmp_path / "out.keras")
        assert done.code == 2
        assert "variables are not there" in done.err.splitlines()[2]
    model = Path(shutil.copytree(HOME / "sequential", tmp_path / "renamed"))
    (model / "variables/variables.index").rename(model / "variables/variables (1).index")
    with ckpttool.open(model) as opened:
        assert "variables (1).index beside it looks like it" in opened.refusals[0].detail


@pytest.mark.parametrize("name", ["ckpt-20", "ckpt-20.data-00000-of-00001", "ckpt-20.index"])
def test_every_command_takes_every_name(name: str, run: Run) -> None:
    """`diff`, `verify` and `spec`, which take architectures as well, take a prefix, too."""
    path, other = HOME / "managed" / name, HOME / "managed/ckpt-30"
    for parts in (("diff", path, other), ("diff", other, path), ("verify", path, path)):
        assert run(*parts).code == 1
    assert run("spec", path).code == 0


def _record(data: bytes) -> bytes:
    size = struct.pack("<Q", len(data))
    return size + writer.masked(size) + data + writer.masked(data)


_NODE = span(1, span(1, b"x") + span(2, b"Placeholder") + span(5, span(1, b"dtype") + span(2, number(6, 1))))
_FILES = {
    "events.out.tfevents.1": (_record(b"\x09" + bytes(8) + span(3, b"brain.Event:2")), "a log of TensorBoard"),
    "data.tfrecord": (_record(b"abc"), "TensorFlow records"),
    "frozen.pb": (_NODE + _NODE, r"a graph of TensorFlow \(GraphDef\)"),
    "frozen.pbtxt": (b'node {\n  name: "x"\n  op: "Placeholder"\n}\n', "a graph of TensorFlow as text"),
    "metadata.pb": (span(1, span(2, b"root") + span(3, b"_tf_keras_sequential")), "Keras's metadata"),
    "fingerprint.pb": (number(1, 5), "saved_model.pb is missing"),
    "keras_metadata.pb": (span(1, b"\x12\x04root"), "saved_model.pb is missing"),
    "model.tflite": (b"\x1c\0\0\0TFL3" + bytes(40), "TensorFlow Lite"),
    "ckpt-1.index.tempstate1": (b"x" * 40, "killed"),
    "ckpt-1.data-00000-of-00001.tempstate12": (b"\0" * 40, "killed"),
    "checkpoint.tmp0a1b2c": (b"model", "killed"),
}


@pytest.mark.parametrize("name", _FILES)
def test_other_files(name: str, tmp_path: Path) -> None:
    """Files that lie beside checkpoints are named for what they are."""
    data, message = _FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        ckpttool.open(tmp_path / name)


_STATE = 'model_checkpoint_path: "ckpt-1"\n'
_FIRST = writer.table([(b"", span(1, span(1, span(1, b"w"))))])
_DIRECTORIES: dict[str, tuple[dict[str, bytes], str]] = {
    "nothing": ({}, "holds no checkpoint"),
    "other files": ({"a.txt": b"", "b/c": b""}, r"holds no checkpoint(.|\n)*a.txt, b"),
    "state file": ({"checkpoint": _STATE.encode()}, r"but none of them(.|\n)*ckpt-1.index"),
    "first format": ({"checkpoint": _STATE.encode(), "ckpt-1": _FIRST}, r"first format \(V1\)"),
    "shard": ({SHARD: b"x"}, rf"not its index(.|\n)*{INDEX}"),
    "graph of TensorFlow 1": ({"ckpt-1.meta": b"x"}, r"not its index(.|\n)*ckpt-1.index"),
    "killed save": ({"ckpt-1_temp/part-00000-of-00001.index": b"x"}, "killed"),
    "no graph": ({"keras_metadata.pb": b"x"}, r"not its graph(.|\n)*saved_model.pb"),
    "variables alone": ({"variables/variables.index": b"x"}, r"not its graph(.|\n)*variables"),
    "graph as text": ({"saved_model.pbtxt": b"x"}, "whose graph is text"),
    "graph in chunks": ({"saved_model.cpb": b"x"}, "cut into chunks"),
    "TensorFlow.js": (
        {"model.json": b"{}", "group1-shard1of1.bin": b"x"},
        r"TensorFlow.js(.|\n)*tensorflowjs_converter",
    ),
    "Orbax": ({"_METADATA": b"{}", "manifest.ocdbt": b"x"}, "Orbax"),
    "steps of Orbax": ({"10/_CHECKPOINT_METADATA": b"{}", "10/default/d": b""}, "Orbax"),
    "Hugging Face": ({"config.json": b"{}", "pytorch_model.bin": b"PK"}, "Hugging Face"),
}


@pytest.mark.parametrize("case", _DIRECTORIES)
def test_directories(case: str, run: Run, tmp_path: Path) -> None:
    """A directory without a checkpoint is one error, which names what it is; `ls` and `info` agree."""
    files, message = _DIRECTORIES[case]
    home = tmp_path / "home"
    home.mkdir()
    for name, data in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        ckpttool.open(home)
    for command in ("ls", "info"):
        done = run(command, home)
        assert done.code == 2
        assert done.err.count("error: ") == 1


def test_directory_of_models(run: Run, tmp_path: Path) -> None:
    """A directory of models is no model itself; one of them is proposed."""
    for version in ("1", "2"):
        shutil.copytree(HOME / "sequential", tmp_path / version)
    with pytest.raises(CheckpointError, match="such as 1; ckpttool ls lists all"):
        ckpttool.open(tmp_path)
    assert len(json.loads(run("ls", tmp_path, "-o", "json").out)["checkpoints"]) == 2
