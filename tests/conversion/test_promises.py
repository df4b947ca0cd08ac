"""The promises of `convert` around the model itself: files that it replaces, messages, and files that it leaves
behind."""

import importlib.util
import json
import os
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.cli import emit
from ckpttool.conversion import convert, loadability, pipeline
from ckpttool.conversion.config import hard_sigmoid
from ckpttool.conversion.prove import child, keras_run
from ckpttool.errors import CheckpointError, FileAccessError
from ckpttool.io import child_processes
from tests.conftest import Outcome
from tests.limits import files_of_at_most
from tests.samples import FIXTURES

Run = Callable[..., Outcome]

OLD = FIXTURES / "old_layers" / "keras2.2" / "lstm.h5"
LAMBDA = FIXTURES / "old_layers" / "keras2.2" / "refused_lambda.h5"
DENSE = FIXTURES / "old_layers" / "keras2.2" / "hard_sigmoid_dense.h5"
COMPILED = FIXTURES / "resume" / "keras2.15" / "adam.h5"
KERAS_3 = FIXTURES / "keras3" / "cnn.keras"
TARGETS = {"new.keras": None, "folder": "keras-dir", "new.weights.h5": None, "new.weights.json": None, "new.h5": None}


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("source", [OLD, KERAS_3, COMPILED], ids=lambda path: path.stem)
def test_progress_counts_every_byte(source: Path, name: str, tmp_path: Path) -> None:
    """Of those written to the weights file, and of every weight read back."""
    counts = list[int]()
    result = convert(source, tmp_path / name, to=TARGETS[name], on_progress=counts.append)
    if name == "new.keras":  # in which the weights file is as large as in a directory
        convert(source, tmp_path / "folder", to="keras-dir")
    written = sum(path.stat().st_size for path in tmp_path.rglob("*.h5"))
    assert sum(counts) == written + result.nbytes
    assert result.nbytes


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Standard error is a terminal; gives what was written there."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        yield lambda: os.read(ours, 1 << 16).decode()
    os.close(ours)


def test_a_bar_on_a_terminal_only(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes to its end; where errors go into a file there is none, and the source is not opened for it."""
    monkeypatch.setattr(emit, "_PATIENCE", -1.0)
    with terminal(monkeypatch) as shown:
        assert run("convert", KERAS_3, tmp_path / "new.keras").code == 0
        assert "converting" in (bar := shown())
        assert "100%" in bar
    assert run("convert", KERAS_3, tmp_path / "other.keras").err == ""


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("name", ["new.keras", "new.weights.h5", "new.h5"])
def test_the_source_under_another_name(name: str, link: Callable[..., None], tmp_path: Path) -> None:
    """Is the source still, and stays, --force or not."""
    source, target = tmp_path / "source.h5", tmp_path / name
    shutil.copy(OLD, source)
    link(source, target)
    before = contents(tmp_path)
    for force in (False, True):
        with pytest.raises(FileAccessError, match="source and target are the same"):
            convert(source, target, force=force)
    assert contents(tmp_path) == before


def test_files_written_together_are_no_others(tmp_path: Path, run: Run) -> None:
    """A shard, or a part of a directory, that is there is replaced by --force alone, and never the source."""
    shard = tmp_path / "new_00000.weights.h5"
    convert(KERAS_3, shard)
    convert(KERAS_3, tmp_path / "folder", to="keras-dir")
    before = contents(tmp_path)
    for source, force in ((KERAS_3, ()), (shard, ()), (shard, ("--force",))):
        result = run("convert", source, tmp_path / "new.weights.json", *force)
        assert (result.code, str(shard) in result.err) == (2, True)
    inside = ("--arch", KERAS_3, "--to", "keras-dir", "--force")
    result = run("convert", tmp_path / "folder" / "model.weights.h5", tmp_path / "folder", *inside)
    assert (result.code, "the same" in result.err) == (2, True)
    assert contents(tmp_path) == before
    assert run("convert", KERAS_3, tmp_path / "new.weights.json", "--force").code == 0
    assert not ckpttool.diff(KERAS_3, tmp_path / "new.weights.json").differences


def test_parts_of_the_source_stay(tmp_path: Path, run: Run) -> None:
    """Neither a shard nor a file of an unzipped model is written over by a conversion of the whole, --force or not."""
    convert(KERAS_3, tmp_path / "new.weights.json")
    convert(KERAS_3, tmp_path / "folder", to="keras-dir")
    before = contents(tmp_path)
    for source, part in (("new.weights.json", "new_00000.weights.h5"), ("folder", "folder/model.weights.h5")):
        result = run("convert", tmp_path / source, tmp_path / part, "--force")
        assert (result.code, "is an input of this command" in result.err) == (2, True)
    assert contents(tmp_path) == before


def test_a_directory_keeps_what_is_not_the_models(tmp_path: Path, run: Run) -> None:
    """With --force the parts of the model are replaced, and what else lies there stays."""
    target = tmp_path / "folder"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    (target / "config.json").write_text("old")
    assert run("convert", KERAS_3, target, "--to", "keras-dir").code == 2
    assert contents(target) == {"notes.txt": b"mine", "config.json": b"old"}
    assert run("convert", KERAS_3, target, "--to", "keras-dir", "--force").code == 0
    assert (target / "notes.txt").read_text() == "mine"
    assert not ckpttool.diff(KERAS_3, target).differences


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("name", TARGETS)
def test_a_full_disk_leaves_nothing_behind(name: str, there: bool, tmp_path: Path) -> None:
    """A file at the target stays as it was; nothing comes beside it."""
    if there:
        convert(OLD, tmp_path / name, to=TARGETS[name])
    before = contents(tmp_path)
    for room in (0, 1000, 8000):
        with files_of_at_most(room), pytest.raises(FileAccessError, match="cannot be written"):
            convert(KERAS_3, tmp_path / name, to=TARGETS[name], force=True)
        assert contents(tmp_path) == before
    assert there or list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_that_is_not_what_was_wanted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte of one weight that came out otherwise, or a weight that is not there, and nothing takes its place."""
    genuine = pipeline.write

    def spoilt(form: str, path: Path, payload: Any, *rest: Any) -> None:
        genuine(form, path, payload, *rest)
        for file in ([path] if path.is_file() else []) + list(path.parent.rglob("*.h5")):
            raw = bytearray(file.read_bytes())
            at = raw.find(b"".join(bytes(block) for block in largest.stored_blocks()))
            if at >= 0:
                raw[at + 5] ^= 1
                file.write_bytes(raw)

    monkeypatch.setattr(pipeline, "write", spoilt)
    with ckpttool.open(KERAS_3) as opened:
        largest = max(opened.values(), key=lambda weight: weight.nbytes)
        with pytest.raises(CheckpointError) as caught:
            convert(KERAS_3, tmp_path / name, to=TARGETS[name])
    assert ("wrong CRC" if name == "new.keras" else "differs from its source") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda weights: weights.popitem(), "other weights than planned"),
        (lambda weights: weights.update(more=next(iter(weights.values()))), "other weights than planned\n.*more"),
    ],
)
def test_weights_that_are_missing_or_more(
    spoil: Callable[[Any], object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that is read back has exactly the weights that were to be written."""
    genuine = pipeline._compare

    def compared(stored: dict[str, Any], wanted: Any, on_progress: Any) -> None:
        spoil(stored)
        genuine(stored, wanted, on_progress)

    monkeypatch.setattr(pipeline, "_compare", compared)
    with pytest.raises(CheckpointError, match=message):
        convert(OLD, tmp_path / "new.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_weight_that_nobody_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more in the file than was to be written is told."""
    genuine = pipeline.write

    def more(form: str, path: Path, payload: Any, *rest: Any) -> None:
        content = payload.model.content
        weights = {**content.weights, "layers/dense/vars/7": next(iter(content.weights.values()))}
        model = replace(payload.model, content=replace(content, weights=weights))
        genuine(form, path, payload._replace(model=model), *rest)

    monkeypatch.setattr(pipeline, "write", more)
    with pytest.raises(CheckpointError, match="other weights than planned"):
        convert(OLD, tmp_path / "new.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_does_not_fit_its_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that Keras 3 would not load takes no place."""
    why = ("a/kernel: nothing is stored at layers/a/vars", "b/vars/0: nothing takes it")
    monkeypatch.setattr(loadability, "reasons_against_loading", lambda *_: why)
    with pytest.raises(CheckpointError, match="Keras 3 would not load the converted file") as caught:
        convert(OLD, tmp_path / "new.keras")
    assert "; ".join(why) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "arguments", "code"),
    [
        (OLD, (), 0),
        (FIXTURES / "old_layers" / "keras2.2" / "refused_lambda.h5", (), 1),
        (FIXTURES / "keras1.2" / "cnn_weights.h5", (), 2),
        (FIXTURES / "nowhere.h5", (), 2),
        (OLD, ("--to", "nothing"), 2),
    ],
)
def test_exit_codes_of_a_dry_run(source: Path, arguments: tuple[str, ...], code: int, tmp_path: Path, run: Run) -> None:
    """A plan without and with refusals, and none at all; nothing is written."""
    result = run("convert", source, tmp_path / "new.keras", "--dry-run", *arguments)
    assert (result.code, bool(result.out)) == (code, code < 2)
    assert list(tmp_path.iterdir()) == []


def test_json_of_what_was_done(tmp_path: Path, run: Run) -> None:
    """It has all of the plan, and says that it is proved."""
    planned = json.loads(run("convert", OLD, tmp_path / "new.keras", "--dry-run", "--output", "json").out)
    done = json.loads(run("convert", OLD, tmp_path / "new.keras", "--output", "json", "--no-prove").out)
    assert done == {**planned, "proved": True}
    assert done["weights"] == {"copied": 0, "changed": len(done["transforms"])}
    assert (done["nbytes"], done["parameters"]) == (336, 84)


def sections(path: Path) -> tuple[bool, bool]:
    """Whether a model has the state of an optimizer, and settings of compile."""
    with ckpttool.open(path) as checkpoint:
        return bool(checkpoint.section(ckpttool.Section.OPTIMIZER)), "compile_config" in checkpoint.config


@pytest.mark.parametrize("name", ["new.keras", "folder"])
@pytest.mark.parametrize(
    ("arguments", "left"),
    [((), (True, True)), (("--no-optimizer",), (False, True)), (("--no-compile",), (False, False))],
)
def test_what_is_left_out_of_keras_3(
    arguments: tuple[str, ...], left: tuple[bool, bool], name: str, tmp_path: Path, run: Run
) -> None:
    """A model that is in the words of Keras 3 already loses the same."""
    convert(COMPILED, tmp_path / "source.keras")
    assert sections(tmp_path / "source.keras") == (True, True)
    to = ("--to", TARGETS[name]) if TARGETS[name] else ()
    assert run("convert", tmp_path / "source.keras", tmp_path / name, *to, *arguments).code == 0
    assert sections(tmp_path / name) == left


def old_keras(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], Any]) -> list[bool]:
    """Has `load` stand for tf_keras; gives whether it was in safe mode, each time."""
    safe, now = list[bool](), list[bool]()

    @contextmanager
    def scope(wanted: bool) -> Iterator[None]:
        now.append(wanted)
        yield
        now.pop()

    def load_model(path: str, compile: bool) -> Any:
        safe.append(now == [True])
        return load(path)

    modules = {"tf_keras": {"models": types.SimpleNamespace(load_model=load_model)}}
    modules["tf_keras.src.saving.serialization_lib"] = {"SafeModeScope": scope}
    for name, content in modules.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(keras_run, "_run", lambda target, source, modules: child.outcome(str(target), str(source)))
    return safe


class Dense:
    """A Dense with the hard_sigmoid of Keras 2, in NumPy."""

    def __init__(self, path: str) -> None:
        with h5py.File(path) as file:
            arrays = list[Any]()
            file["model_weights"].visititems(
                lambda _, item: arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None
            )
        self.bias, self.kernel = sorted(arrays, key=lambda array: array.ndim)

    def predict(self, x: np.ndarray, batch_size: int, verbose: int) -> np.ndarray:
        """The predictions of Keras 2."""
        output: np.ndarray = np.clip(0.2 * (x @ self.kernel + self.bias) + 0.5, 0, 1)
        return output


@pytest.mark.parametrize("name", ["new.weights.h5", "new.weights.json", "new.h5"])
def test_weights_alone_are_not_run(name: str, tmp_path: Path, run: Run) -> None:
    """Only a whole model can be proved so, which is told before anything is written."""
    result = run("convert", DENSE, tmp_path / name, "--prove")
    assert (result.code, "only a whole model can be run" in result.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_keras_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes no place, and what Keras said is told."""
    monkeypatch.setattr(keras_run, "_run", lambda *_: {"error": "ValueError: no such layer"})
    with pytest.raises(keras_run.ProofError, match="does not load the converted model") as caught:
        convert(DENSE, tmp_path / "new.keras", prove=True)
    assert "no such layer" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("small", "installed", "target", "arguments", "line"),
    [
        (1 << 20, True, "new.keras", (), "= Keras 9 loads it, compiled, and predicts (2, 1) from (2, 3) float32; not "),
        (1, True, "new.keras", (), "= not run with Keras: its weights are more than 0 MiB; --prove runs it"),
        (1 << 20, False, "new.keras", (), "= not run with Keras: Keras is not installed beside ckpttool"),
        (1 << 20, True, "new.weights.h5", (), ""),
        (1 << 20, True, "new.keras", ("--no-prove",), ""),
        (1, True, "new.keras", ("--prove",), "= Keras 9 loads it"),
    ],
)
def test_small_models_are_run_unasked(
    small: int,
    installed: bool,
    target: str,
    arguments: tuple[str, ...],
    line: str,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Small models are run without being asked for where Keras is installed; else the reason is given."""
    answer = {"keras": "9", "inputs": ["(2, 3) float32"], "outputs": [[2, 1]], "finite": True, "compiled": True}
    monkeypatch.setattr(keras_run, "SMALL", small)
    monkeypatch.setattr(keras_run, "is_installed", lambda: installed)
    monkeypatch.setattr(keras_run, "_run", lambda *_: answer)
    result = run("convert", DENSE, tmp_path / target, *arguments)
    assert result.code == 0
    splitlines = [splitline for splitline in result.out.splitlines() if splitline.startswith("= ")]
    assert len(splitlines) == bool(line)
    assert all(text.startswith(line) for text in splitlines)


def test_what_needs_the_users_code_is_not_run_unasked(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras could not load it here; --prove says so."""
    monkeypatch.setattr(keras_run, "SMALL", 1 << 20)
    result = run("convert", LAMBDA, tmp_path / "new.keras", "--replace", "twice=my.layers:double")
    assert (result.code, "= not run with Keras: it needs what is listed above" in result.out) == (0, True)


def test_keras_that_cannot_be_run(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no failure of a conversion for which nobody asked for it."""
    monkeypatch.setattr(keras_run, "SMALL", 1 << 20)
    monkeypatch.setattr(child_processes, "_START", "import sys; sys.exit('broken')")
    result = run("convert", DENSE, tmp_path / "new.keras")
    assert (result.code, "= not run with Keras: Keras could not be run here" in result.out) == (0, True)


def test_both_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old model is run as well, where it can be, in safe mode."""
    safe = old_keras(monkeypatch, Dense)
    prediction = convert(DENSE, tmp_path / "new.keras", prove=True).prediction
    assert prediction is not None
    assert prediction.difference is not None
    assert prediction.difference < 1e-6
    assert (prediction.finite, prediction.compiled, prediction.old, safe) == (True, False, "", [True])


def test_a_wrong_conversion_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was written as planned may still be another model, which only the old predictions show."""
    old_keras(monkeypatch, Dense)
    monkeypatch.setattr("ckpttool.conversion.weights.placement.FACTOR", 1.0)
    assert hard_sigmoid.FACTOR == 1.2
    with pytest.raises(keras_run.ProofError, match="outputs of the converted model differ"):
        convert(DENSE, tmp_path / "new.keras", prove=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, 1e9])
def test_what_is_no_number_does_not_agree(value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference that cannot be told is none that is small enough."""

    class Other(Dense):
        def predict(self, x: np.ndarray, batch_size: int, verbose: int) -> np.ndarray:
            return np.full((len(x), len(self.bias)), value)

    old_keras(monkeypatch, Other)
    with pytest.raises(keras_run.ProofError):
        convert(DENSE, tmp_path / "new.keras", prove=True)


def test_an_old_model_that_cannot_be_run(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no fault of the new one, and it is said why."""

    def load(path: str) -> Any:
        raise ValueError("of another age\nand more")

    old_keras(monkeypatch, load)
    result = run("convert", DENSE, tmp_path / "new.keras", "--prove")
    assert result.code == 0
    assert "not compared with the old model: ValueError: of another age\n" in result.out


@pytest.mark.parametrize(
    ("command", "seconds", "message"),
    [
        ("import sys; sys.exit('no Keras here')", 60, "no Keras here"),
        ("import sys; sys.exit(3)", 60, "status 3"),
        ("import time; time.sleep(60)", 0.5, "did not end"),
    ],
)
def test_a_process_that_answers_nothing(
    command: str, seconds: float, message: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is one clear error, and nothing is left behind."""
    monkeypatch.setattr(child_processes, "_START", command)
    monkeypatch.setattr(keras_run, "SECONDS", seconds)
    result = run("convert", DENSE, tmp_path / "new.keras", "--prove")
    assert (result.code, message in result.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_current_directory_is_run(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that lie there, beside a model of a stranger, are not taken for Keras."""
    for name in ("keras", "tf_keras", "numpy", "json", "ckpttool"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert "= Keras 3" in run("convert", DENSE, "new.keras", "--prove").out
    assert not (tmp_path / "ran").exists()


GENUINE = pytest.mark.skipif(importlib.util.find_spec("tf_keras") is None, reason="tf_keras is not installed")


@GENUINE
@pytest.mark.parametrize("source", [OLD, COMPILED], ids=lambda path: path.stem)
def test_beside_genuine_tf_keras(source: Path, tmp_path: Path) -> None:
    """Both predict the same."""
    prediction = convert(source, tmp_path / "new.keras", prove=True).prediction
    assert prediction is not None
    assert prediction.difference is not None
    assert prediction.difference < 1e-5


@GENUINE
def test_genuine_tf_keras_runs_no_code_of_the_file(tmp_path: Path) -> None:
    """A Lambda that another function takes the place of is not run on the old side either."""
    import tf_keras

    place = tmp_path / "ran"
    code = f"lambda x: (open({str(place)!r}, 'w').close(), x)[1]"
    model = tf_keras.Sequential([tf_keras.layers.Input((3,)), tf_keras.layers.Lambda(eval(code), name="code")])
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(tmp_path / "old.h5")
    place.unlink()
    options = ckpttool.conversion.Options(functions={"code": "keras.activations:relu"})
    prediction = convert(tmp_path / "old.h5", tmp_path / "new.keras", options=options, prove=True).prediction
    assert prediction is not None
    assert "Lambda" in prediction.old
    assert not place.exists()
