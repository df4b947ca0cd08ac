"""Checkpoints of TensorFlow: the contract of a reader, every name that people type, and what is not whole."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import ckpttool
from ckpttool import CheckpointError, CorruptFileError, FileAccessError, Section, UnsupportedError
from ckpttool.formats import checkpoints_in, is_directory_of_checkpoints
from ckpttool.io.dtypes import itemsize
from tests.formats.contract import ReaderContract, naturally
from tests.formats.tensorflow import writer
from tests.samples import FIXTURES

TENSORFLOW = FIXTURES / "tensorflow"
MANAGED = TENSORFLOW / "2.15/managed"


def values_of(version: str, short: str) -> dict[str, np.ndarray]:
    """The values that TensorFlow itself read from a checkpoint among the fixtures."""
    with np.load(TENSORFLOW / version / "values.npz") as archive:
        return {key.partition("|")[2]: archive[key] for key in archive.files if key.partition("|")[0] == short}


class _OfTensorFlow(ReaderContract):
    """A checkpoint whose values TensorFlow read, too; `prefix` is it within the fixtures."""

    kind = "tensorflow-checkpoint"
    prefix: ClassVar[tuple[str, str]]

    def build(self, folder: Path) -> Path:
        """A copy without what lies beside the checkpoint."""
        version, short = self.prefix
        origin = TENSORFLOW / version / short
        (folder / "own").mkdir()
        for path in origin.parent.glob(f"{origin.name}.*"):
            shutil.copy(path, folder / "own")
        return folder / "own" / f"{origin.name}.index"

    def reference(self, path: Path) -> Mapping[str, np.ndarray]:
        """The values that TensorFlow read."""
        return values_of(*self.prefix)

    def order(self, path: Path, reference: Mapping[str, np.ndarray]) -> list[str]:
        """Natural order of names."""
        return sorted(reference, key=naturally)

    def is_of(self, section: Section, path: str) -> bool:
        """The optimizer is in the names of its state and of its slot variables, the metrics are in theirs."""
        return {"optimizer": "optimizer", "metrics": "keras_api/metrics"}[section.value] in path


class TestSaveWeights(_OfTensorFlow):
    """By save_weights of Keras 2.15: the optimizer's state in a list of variables."""

    prefix = ("2.15", "mlp.ckpt")
    counts: ClassVar = {"model": 8, "optimizer": 14}
    truncated = ("mlp.ckpt.index", "mlp.ckpt.data-00000-of-00001")


class TestSlotVariables(_OfTensorFlow):
    """Of a functional model with nested layers and an optimizer that keeps slot variables."""

    prefix = ("2.15", "slots")
    counts: ClassVar = {"model": 18, "optimizer": 41}
    truncated = ("slots.index", "slots.data-00000-of-00001")


class TestKeras3(_OfTensorFlow):
    """Of a model of Keras 3, whose optimizer holds its weights under a shorter name than it does itself."""

    prefix = ("2.21", "keras3")
    counts: ClassVar = {"model": 8, "optimizer": 14}
    truncated = ("keras3.index", "keras3.data-00000-of-00001")

    def is_of(self, section: Section, path: str) -> bool:
        """Names tell nothing here."""
        return path.startswith("optimizer/")


class TestParts(_OfTensorFlow):
    """Tensors in parts along several axes, over four shards."""

    prefix = ("2.21", "parts/ckpt")
    counts: ClassVar = {"model": 3}
    truncated = ("ckpt.index", *(f"ckpt.data-0000{n}-of-00004" for n in range(4)))


DTYPES = TENSORFLOW / "2.21/dtypes.index"


def test_every_dtype() -> None:
    """Every dtype that can be stored has the name that Keras gives it, and TensorFlow's values."""
    reference = values_of("2.21", "dtypes")
    with ckpttool.open(DTYPES) as checkpoint:
        assert set(checkpoint) == set(reference) | {"texts"}
        for name, expected in reference.items():
            weight = checkpoint[name]
            assert weight.dtype == (name.removeprefix("of/") if name.startswith("of/") else "float32")
            assert weight.nbytes == weight.size * (itemsize(weight.dtype) or 0)
            assert weight.shape == expected.shape
            assert np.array_equal(weight.read(), expected)
        assert checkpoint.refusals == ()


def test_texts() -> None:
    """Texts are any bytes; they have a checksum and no statistics."""
    from ckpttool.arrays.statistics import measure

    with ckpttool.open(DTYPES) as checkpoint:
        texts = checkpoint["texts"]
        assert texts.dtype == "string"
        assert texts.read().tolist() == [[b"a", b""], [b"\xff\0", b"x" * 200]]
        measured = measure(texts, stats=True, sha256=True)
        assert measured.stats is None
        assert measured.sha256


_NAMES = ("ckpt-40", "ckpt-40.index", "ckpt-40.data-00000-of-00001", "checkpoint", "")


@pytest.mark.parametrize("name", _NAMES)
def test_every_name_finds_it(name: str) -> None:
    """The prefix, the index, a shard, the state file and the directory lead to one checkpoint, the newest."""
    with ckpttool.open(MANAGED / name) as checkpoint:
        assert checkpoint.path == MANAGED / "ckpt-40.index"
        assert checkpoint.kind == "tensorflow-checkpoint"
        assert checkpoint.files == ("ckpt-40.index", "ckpt-40.data-00000-of-00001")
        assert checkpoint.size == sum((MANAGED / file).stat().st_size for file in checkpoint.files)


def managed(folder: Path) -> Path:
    """A copy of the managed directory."""
    return Path(shutil.copytree(MANAGED, folder / "managed"))


def test_meta_finds_it(tmp_path: Path) -> None:
    """So does the graph that TensorFlow 1 left beside it."""
    home = managed(tmp_path)
    (home / "ckpt-30.meta").write_bytes(b"\x0a\x00")
    with ckpttool.open(home / "ckpt-30.meta") as checkpoint:
        assert checkpoint.path.name == "ckpt-30.index"
        assert "ckpt-30.meta" in checkpoint.files


_STATES = {
    "of another machine": 'model_checkpoint_path: "/home/of/another/ckpt-30"\n',
    "of Windows": 'model_checkpoint_path: "C:\\\\runs\\\\ckpt-30"\n',
    "that leads away": 'model_checkpoint_path: "../../../ckpt-30"\n',
    "with odd spaces": '\tmodel_checkpoint_path  :   "ckpt-30"  \n',
}


@pytest.mark.parametrize("case", _STATES)
def test_state_file(case: str, tmp_path: Path) -> None:
    """The state file is asked for a name and never for a place."""
    home = managed(tmp_path)
    (home / "checkpoint").write_text(_STATES[case])
    with ckpttool.open(home) as checkpoint:
        assert checkpoint.path == home / "ckpt-30.index"


@pytest.mark.parametrize(
    "state", ['model_checkpoint_path: "ckpt-99"', 'model_checkpoint_path: ".."', "", "\0\xff" * 50]
)
def test_state_file_of_nothing(state: str, tmp_path: Path) -> None:
    """A directory of several checkpoints is none itself where its state file names nothing that is there."""
    home = managed(tmp_path)
    (home / "checkpoint").write_text(state)
    for name in ("", "checkpoint"):
        with pytest.raises(CheckpointError):
            ckpttool.open(home / name)


def test_missing_index(tmp_path: Path) -> None:
    """A shard, or a graph, without its index says what is missing."""
    home = managed(tmp_path)
    (home / "ckpt-20.index").unlink()
    (home / "ckpt-20.meta").write_bytes(b"\x0a\x03abc")
    for name in ("ckpt-20.data-00000-of-00001", "ckpt-20.meta"):
        with pytest.raises(FileAccessError, match=r"ckpt-20\.index"):
            ckpttool.open(home / name)
    with pytest.raises(FileAccessError, match="no such file"):
        ckpttool.open(home / "ckpt-20")


def test_missing_shard(tmp_path: Path) -> None:
    """Names, shapes and dtypes are listed without the values, which are said to be missing."""
    home = managed(tmp_path)
    (home / "ckpt-20.data-00000-of-00001").unlink()
    with ckpttool.open(home / "ckpt-20") as checkpoint:
        assert set(checkpoint) == {"net/.ATTRIBUTES/VARIABLE_VALUE", "save_counter/.ATTRIBUTES/VARIABLE_VALUE"}
        assert [(refusal.kind, refusal.place) for refusal in checkpoint.refusals] == [
            ("missing", "ckpt-20.data-00000-of-00001")
        ]
        with pytest.raises(CorruptFileError, match="missing"):
            checkpoint["net/.ATTRIBUTES/VARIABLE_VALUE"].read()


def test_a_name_that_was_cut_off(tmp_path: Path) -> None:
    """A shard whose name lost its end is pointed at; it leads to its checkpoint all the same."""
    home = managed(tmp_path)
    cut = (home / "ckpt-20.data-00000-of-00001").rename(home / "ckpt-20.data-00000-of-00")
    with ckpttool.open(cut) as checkpoint:
        assert checkpoint.path.name == "ckpt-20.index"
        assert [refusal.kind for refusal in checkpoint.refusals] == ["missing"]
        assert cut.name in checkpoint.refusals[0].detail
        assert "rename" in checkpoint.refusals[0].detail


_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 200\n"


def test_pointers_of_git_lfs(tmp_path: Path) -> None:
    """A pointer in the place of the index is named; one in the place of a shard leaves the listing."""
    home = managed(tmp_path)
    (home / "ckpt-20.index").write_bytes(_POINTER)
    for name in ("ckpt-20", "ckpt-20.index", "ckpt-20.data-00000-of-00001"):
        with pytest.raises(CheckpointError, match="git-lfs pointer"):
            ckpttool.open(home / name)
    (home / "ckpt-30.data-00000-of-00001").write_bytes(_POINTER)
    with ckpttool.open(home / "ckpt-30") as checkpoint:
        assert len(checkpoint) == 2
        assert [refusal.kind for refusal in checkpoint.refusals] == ["pointer"]
        assert "git-lfs pointer" in checkpoint.refusals[0].detail


def test_what_lies_beside(tmp_path: Path) -> None:
    """Shards of an earlier save and what killed saves left are named, and not read."""
    home = managed(tmp_path)
    (home / "ckpt-40.data-00001-of-00002").write_bytes(b"x")
    (home / "ckpt-40_temp").mkdir()
    (home / "ckpt-40.data-00000-of-00001.tempstate123").write_bytes(b"x")
    (home / "ckpt-40.index.tempstate9").write_bytes(b"x")
    (home / "ckpt-400.data-00000-of-00001").write_bytes(b"x")
    with ckpttool.open(home / "ckpt-40") as checkpoint:
        assert {refusal.kind for refusal in checkpoint.refusals} == {"extra"}
        assert {refusal.place for refusal in checkpoint.refusals} == {
            "ckpt-40.data-00001-of-00002",
            "ckpt-40.data-00000-of-00001.tempstate123",
            "ckpt-40.index.tempstate9",
            "ckpt-40_temp",
        }
        assert checkpoint["net/.ATTRIBUTES/VARIABLE_VALUE"].read().tolist() == [5.0, 6.0]


def test_a_shard_that_is_a_link(tmp_path: Path) -> None:
    """A shard that is a symbolic link is not followed."""
    home = managed(tmp_path)
    shard = home / "ckpt-20.data-00000-of-00001"
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    with ckpttool.open(home / "ckpt-20") as checkpoint:
        assert [refusal.kind for refusal in checkpoint.refusals] == ["external"]
        with pytest.raises(CheckpointError, match="symbolic link"):
            checkpoint["net/.ATTRIBUTES/VARIABLE_VALUE"].read()


def test_first_format(tmp_path: Path) -> None:
    """Files of 2016 are named, under any name."""
    for name in ("inception_v3.ckpt", "model-00000-of-00001", "model.index"):
        (tmp_path / name).write_bytes(writer.table([(b"", writer.span(1, writer.span(1, writer.span(1, b"w"))))]))
        with pytest.raises(UnsupportedError, match="first format"):
            ckpttool.open(tmp_path / name)


def test_another_index(tmp_path: Path) -> None:
    """A file that is only called an index is named for what it is."""
    (tmp_path / "vectors.index").write_bytes(b"IxF2" + bytes(100))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        ckpttool.open(tmp_path / "vectors.index")


def test_names_and_layers() -> None:
    """A variable's own name tells its layer, also inside a nested model, a wrapper and a layer of layers."""
    with ckpttool.open(TENSORFLOW / "2.15/slots") as checkpoint:
        names = {(weight.layer, weight.name) for weight in checkpoint.section(Section.MODEL)}
    assert ("deep", "deep/kernel") in names
    assert ("both", "both/forward_lstm/lstm_cell/recurrent_kernel") in names
    assert ("heads", "heads/attention_output/bias") in names
    assert {layer for layer, _ in names} == {"deep", "both", "heads", "exit"}


def by_names(folder: Path, *names: str) -> Path:
    """A checkpoint of TensorFlow 1 with these scalars."""
    tensors = [(name.encode(), writer.entry(1, [], 4 * n, 4)) for n, name in enumerate(sorted(names))]
    return writer.write(folder, tensors, bytes(4 * len(names)))


def test_names_of_tensorflow_1(tmp_path: Path) -> None:
    """Without an object graph a tensor is called as its variable; what an optimizer adds to a name is its state, also
    behind the scope in which it was made."""
    names = ("beta1_power", "dense/kernel", "dense/kernel/Adam", "dense/kernel/Adam_1", "global_step", "other/Adam")
    names += ("training/Adagrad/dense/kernel/accumulator", "train/dense/kernel/Momentum", "train/beta2_power")
    with ckpttool.open(by_names(tmp_path, *names)) as checkpoint:
        sections = {name: (weight.section.value, weight.layer) for name, weight in checkpoint.items()}
    assert sections == {
        "beta1_power": ("optimizer", None),
        "dense/kernel": ("model", "dense"),
        "dense/kernel/Adam": ("optimizer", None),
        "dense/kernel/Adam_1": ("optimizer", None),
        "global_step": ("other", None),
        "other/Adam": ("model", "other"),
        "train/beta2_power": ("optimizer", None),
        "train/dense/kernel/Momentum": ("optimizer", None),
        "training/Adagrad/dense/kernel/accumulator": ("optimizer", None),
    }


def test_directories_of_checkpoints(tmp_path: Path) -> None:
    """A directory of several is one of checkpoints, one that holds a single one is that."""
    home = managed(tmp_path)
    assert is_directory_of_checkpoints(home)
    assert [path.name for path in checkpoints_in(home)] == ["ckpt-20.index", "ckpt-30.index", "ckpt-40.index"]
    for number in (20, 30):
        (home / f"ckpt-{number}.index").unlink()
    assert not is_directory_of_checkpoints(home)
    shutil.copy(FIXTURES / "keras3/mlp.h5", home)
    assert is_directory_of_checkpoints(home)


def test_ls_of_a_managed_directory(run: Callable[..., Any], tmp_path: Path) -> None:
    """Checkpoints that a CheckpointManager keeps are listed oldest first with its number and time, the newest marked,
    the rest below.
    """
    home = managed(tmp_path)
    (home / "vectors.index").write_bytes(b"IxF2" + bytes(100))
    for part in ("index", "data-00000-of-00001"):
        shutil.copy(home / f"ckpt-30.{part}", home / f"another.{part}")
    done = run("ls", home, "--output", "json")
    assert done.code == 0
    entries = [(Path(entry["path"]).name, entry.get("kept")) for entry in json.loads(done.out)["checkpoints"]]
    assert [name for name, _ in entries] == ["ckpt-20.index", "ckpt-30.index", "ckpt-40.index", "another.index"]
    assert [facts["step"] for _, facts in entries[:3]] == [20, 30, 40]
    assert [facts["newest"] for _, facts in entries[:3]] == [False, False, True]
    assert all(re.fullmatch(r"2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC", facts["date"]) for _, facts in entries[:3])
    assert entries[3][1] is None
    text = run("ls", home).out.splitlines()
    assert [("newest" in line) for line in text] == [True, False, False, False, True, False]
    rows = run("ls", home, "--output", "csv").out.splitlines()
    assert rows[0].endswith(",saved,newest")
    assert rows[3].split(",")[9] == "40"


@pytest.mark.parametrize("time", ["1e400", "nan", "-5", "9" * 300, "0"])
def test_impossible_times(time: str, run: Callable[..., Any], tmp_path: Path) -> None:
    """A time that is none is not shown."""
    home = managed(tmp_path)
    state = (home / "checkpoint").read_text().splitlines()
    (home / "checkpoint").write_text("\n".join(re.sub(r"(timestamps: ).*", rf"\g<1>{time}", line) for line in state))
    done = run("ls", home, "--output", "json")
    assert done.code == 0
    assert {entry["kept"]["date"] for entry in json.loads(done.out)["checkpoints"]} == {""}


@pytest.mark.parametrize("command", ["ls", "info", "textconv"])
def test_commands(command: str, run: Callable[..., Any]) -> None:
    """The commands that show one checkpoint show it, by any of its names."""
    for name in ("ckpt-40", "ckpt-40.data-00000-of-00001"):
        done = run(command, MANAGED / name)
        assert done.code == 0, done.err
        assert command == "info" or re.search(r"\bnet\b", done.out)
    done = run("ls", MANAGED / "ckpt-40", "--stats", "--sha256", "--section", "all", "--output", "json")
    checksums = {weight["path"]: weight["sha256"] for weight in json.loads(done.out)["weights"]}
    expected = values_of("2.15", "managed/ckpt-40")
    assert checksums == {name: hashlib.sha256(value.tobytes()).hexdigest() for name, value in expected.items()}


def test_names_that_tell_nothing(tmp_path: Path) -> None:
    """Variables of one name, or of the name that one gets without any, have none."""
    kernel = [("VARIABLE_VALUE", "dense/kernel", f"{side}/k") for side in "ab"]
    message = writer.graph(
        [
            ([("a", 1), ("b", 2), ("free", 5)], [], []),
            ([("k", 3)], [], []),
            ([("k", 4)], [], []),
            ([], [kernel[0]], []),
            ([], [kernel[1]], []),
            ([], [("VARIABLE_VALUE", "Variable", "free")], []),
        ]
    )
    with ckpttool.open(writer.with_graph(tmp_path, message, ["a/k", "b/k", "free"])) as checkpoint:
        names = {path: (weight.layer, weight.name) for path, weight in checkpoint.items()}
    assert set(names.values()) == {(None, None)}


def test_sections_by_names_are_marked(run: Callable[..., Any], tmp_path: Path) -> None:
    """Sections that only the names of variables tell are guesses, and marked as such in text and JSON; those of an
    object graph are not."""
    index = by_names(tmp_path, "dense/kernel", "dense/kernel/Adam", "global_step")
    shown = run("ls", index).out
    assert {"~optimizer", "~model", "~other"} <= set(shown.split())
    assert "~ the section is not stored; it is inferred from the names of the variables" in shown
    assert "1 weight, 1 parameter, 4 B (guessed from the names of variables)" in run("info", index).out
    document = json.loads(run("ls", index, "--output", "json").out)
    assert document["sections_inferred"]
    assert [row["inferred"] for row in document["weights"] if row["section"] != "model"] == [True]
    assert json.loads(run("info", index, "--output", "json").out)["sections_inferred"]
    of_objects = run("ls", MANAGED / "ckpt-40", "--output", "json").out
    assert "sections_inferred" not in of_objects


def test_labels_where_names_tell_nothing(run: Callable[..., Any]) -> None:
    """A weight without a name is called as its object is, and marked as inferred."""
    done = run("ls", MANAGED / "ckpt-40", "--output", "json", "--section", "model")
    rows = [(row["layer"], row["weight"], row["inferred"]) for row in json.loads(done.out)["weights"]]
    assert rows == [("", "net", True)]


def test_an_object_that_is_only_called_like_a_counter(tmp_path: Path) -> None:
    """An object with a child of the name `iter` is no optimizer for that."""
    message = writer.graph([([("iter", 1), ("w", 1)], [], []), ([], [("VARIABLE_VALUE", "w/x", "w")], [])])
    with ckpttool.open(writer.with_graph(tmp_path, message, ["w"])) as checkpoint:
        assert [weight.section for weight in checkpoint.values()] == [Section.MODEL]


def test_seeds_are_no_weights(tmp_path: Path) -> None:
    """The state of a generator of random numbers that belongs to no layer, as in an export of a recurrent layer by
    Keras 3, is no weight."""
    message = writer.graph(
        [
            ([("variables", 1)], [], []),
            ([("0", 2), ("1", 3)], [], []),
            ([], [("VARIABLE_VALUE", "lstm/kernel", "a")], []),
            ([], [("VARIABLE_VALUE", "seed_generator_1/seed_generator_state", "b")], []),
        ]
    )
    with ckpttool.open(writer.with_graph(tmp_path, message, ["a", "b"])) as checkpoint:
        assert [weight.section for weight in checkpoint.values()] == [Section.MODEL, Section.OTHER]


def test_an_export_stores_weights_twice() -> None:
    """Of the weights that an export of Keras 3 holds twice, one is the model's."""
    with ckpttool.open(TENSORFLOW / "2.21/export/variables/variables") as checkpoint:
        sections = {path.split("/")[0]: weight.section for path, weight in checkpoint.items()}
        assert sections == {"variables": Section.MODEL, "_all_variables": Section.OTHER}
        assert len(checkpoint.section(Section.MODEL)) == 8
