"""`ckpttool convert` as its users run it."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

import ckpttool
from ckpttool.conversion import EDITS, Options, convert
from ckpttool.errors import ConversionError
from tests.conftest import Outcome
from tests.samples import FIXTURES

Run = Callable[..., Outcome]

OLD = FIXTURES / "old_layers" / "keras2.2" / "lstm.h5"
KERAS_3 = FIXTURES / "keras3" / "cnn.keras"
KERAS_2 = FIXTURES / "keras2.15" / "cnn.keras"


def lambda_model(path: Path, function: Any = None) -> Path:
    """A `.keras` of Keras 3 with a Lambda layer that holds code."""
    entry = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=\n", "defaults": None, "closure": None}}
    with zipfile.ZipFile(FIXTURES / "keras3" / "mlp.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            raw = source.read(name)
            if name == "config.json":
                config = json.loads(raw)
                own = {"name": "mystery", "trainable": True, "dtype": "float32", "function": function or entry}
                layer = {"module": "keras.layers", "class_name": "Lambda", "config": own, "registered_name": None}
                config["config"]["layers"].insert(2, layer)
                raw = json.dumps(config).encode()
            target.writestr(name, raw)
    return path


def test_an_old_model(tmp_path: Path, run: Run) -> None:
    """The summary says what was edited, what was multiplied, and that it was read back."""
    result = run("convert", str(OLD), str(tmp_path / "new.keras"))
    assert result.code == 0
    for phrase in ("converted to", "scale-hard-sigmoid", "multiplied by 1.2", "read back and compared"):
        assert phrase in result.out
    assert ckpttool.verify(tmp_path / "new.keras", tmp_path / "new.keras").ok


def test_dry_run_writes_nothing(tmp_path: Path, run: Run) -> None:
    """The plan is printed, as JSON too."""
    result = run("convert", str(OLD), str(tmp_path / "new.keras"), "--dry-run", "--output", "json")
    plan = json.loads(result.out)
    assert (result.code, plan["schema"], plan["proved"]) == (0, "ckpttool.convert/1", False)
    assert {edit["edit"] for edit in plan["edits"]} <= {edit.name for edit in EDITS}
    assert plan["transforms"][0]["changes"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(tmp_path: Path, run: Run) -> None:
    """An existing target is replaced by --force alone, and the source never."""
    target = tmp_path / "new.keras"
    target.write_bytes(b"mine")
    assert run("convert", str(OLD), str(target)).code == 2
    assert target.read_bytes() == b"mine"
    assert run("convert", str(OLD), str(target), "--force").code == 0
    same = run("convert", str(target), str(target), "--force")
    assert (same.code, "the same" in same.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["new.keras"]


def test_a_lambda_is_refused_with_its_place(tmp_path: Path, run: Run) -> None:
    """Old or new: no code is carried on. A dry run tells the same with exit code 1."""
    source = lambda_model(tmp_path / "source.keras")
    result = run("convert", str(source), str(tmp_path / "new.keras"))
    assert result.code == 2
    assert "mystery" in result.err
    assert "--replace mystery=package.module:function" in result.err
    assert not (tmp_path / "new.keras").exists()
    assert run("convert", str(source), str(tmp_path / "new.keras"), "--dry-run").code == 1


def test_a_function_in_place_of_a_lambda(tmp_path: Path, run: Run) -> None:
    """It is named, not run, and what to import is said."""
    source = lambda_model(tmp_path / "source.keras")
    result = run("convert", str(source), str(tmp_path / "new.keras"), "--replace", "mystery=my.layers:double")
    assert result.code == 0
    assert 'custom_objects={"double": my.layers.double}' in result.out
    config = json.loads(zipfile.ZipFile(tmp_path / "new.keras").read("config.json"))
    in_lambda = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Lambda")
    assert in_lambda["config"]["function"] == {
        "module": "my.layers", "class_name": "function", "config": "double", "registered_name": "function",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["new.keras", "new.weights.h5", "new.weights.json", "new.h5"])
def test_forms(name: str, tmp_path: Path, run: Run) -> None:
    """The name of the target tells its form; each has the weights of the source."""
    assert run("convert", str(KERAS_3), str(tmp_path / name)).code == 0
    assert not ckpttool.diff(KERAS_3, tmp_path / name).differences


def test_groups_of_layers_without_weights(tmp_path: Path, run: Run) -> None:
    """A copy has the groups that Keras writes for every object, those without weights included."""
    assert run("convert", KERAS_3, tmp_path / "new.keras").code == 0
    groups = []
    for path in (KERAS_3, tmp_path / "new.keras"):
        raw = zipfile.ZipFile(path).read("model.weights.h5")
        with h5py.File(io.BytesIO(raw)) as file:
            names = list[str]()
            file.visititems(
                lambda name, item, names=names: names.append(name) if isinstance(item, h5py.Group) else None
            )
            groups.append({name for name in names if not name.startswith(("optimizer", "metrics"))})
    assert groups[0] == groups[1]


def test_directory_and_back(tmp_path: Path, run: Run) -> None:
    """The unzipped form, and the archive made of it again."""
    assert run("convert", str(KERAS_3), str(tmp_path / "folder"), "--to", "keras-dir").code == 0
    assert run("convert", str(tmp_path / "folder"), str(tmp_path / "again.keras")).code == 0
    assert not ckpttool.diff(KERAS_3, tmp_path / "again.keras").differences


def test_shards(tmp_path: Path, run: Run) -> None:
    """Shards are as large as asked for at most."""
    target = tmp_path / "new.weights.json"
    assert run("convert", str(KERAS_3), str(target), "--max-shard-size", "0.7KB").code == 0
    assert len(list(tmp_path.glob("*.weights.h5"))) > 1
    assert run("convert", str(KERAS_3), str(target), "--force", "--max-shard-size", "0.1KB").code == 2
    assert run("convert", str(KERAS_3), str(target), "--max-shard-size", "huge").code == 2
    assert not ckpttool.diff(KERAS_3, target).differences


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["new.txt"], "--to"),
        (["nowhere/new.keras"], "directory"),
        (["new.keras", "--replace", "x"], "NAME=package.module:function"),
    ],
)
def test_what_cannot_be_asked_for(arguments: list[str], hint: str, tmp_path: Path, run: Run) -> None:
    """Is told as an error of one message."""
    result = run("convert", str(OLD), str(tmp_path / arguments[0]), *arguments[1:])
    assert result.code == 2
    assert hint in result.err


def test_weights_need_their_model(tmp_path: Path, run: Run) -> None:
    """Weights alone are refused without an architecture, and become a model with one."""
    weights, model = FIXTURES / "keras1.2" / "cnn_weights.h5", FIXTURES / "keras1.2" / "cnn.json"
    alone = run("convert", str(weights), str(tmp_path / "new.keras"))
    assert (alone.code, "--arch" in alone.err) == (2, True)
    assert run("convert", str(weights), str(tmp_path / "new.keras"), "--arch", str(model)).code == 0


def test_the_backend_can_be_said(tmp_path: Path) -> None:
    """Kernels run the other way for the other backend."""
    weights, model = FIXTURES / "keras1.2" / "cnn_weights.h5", FIXTURES / "keras1.2" / "cnn.json"
    for backend in ("theano", "tensorflow"):
        convert(weights, tmp_path / f"{backend}.keras", arch=model, source_backend=backend)
    differences = ckpttool.diff(tmp_path / "theano.keras", tmp_path / "tensorflow.keras")
    axes = {len(pair.a.weight.shape) for pair in differences.changed}
    assert axes == {4}


def test_list_of_edits(run: Run) -> None:
    """Every kind of edit is listed with what it does."""
    result = run("convert", "--list-edits")
    assert result.code == 0
    assert all(edit.name in result.out for edit in EDITS)
    assert len({edit.name for edit in EDITS}) == len(EDITS)


def test_compile_settings_can_be_left_out(tmp_path: Path, run: Run) -> None:
    """--no-compile leaves out all of it, --no-optimizer the state alone."""
    source = FIXTURES / "resume" / "keras2.15" / "adam.h5"
    for arguments, sections, compiled in (
        ([], True, True),
        (["--no-optimizer"], False, True),
        (["--no-compile"], False, False),
    ):
        target = tmp_path / f"{len(arguments)}{compiled}.keras"
        assert run("convert", str(source), str(target), *arguments).code == 0
        with ckpttool.open(target) as checkpoint:
            assert bool(checkpoint.section(ckpttool.Section.OPTIMIZER)) == sections
            assert ("compile_config" in checkpoint.config) == compiled


def test_from_python(tmp_path: Path) -> None:
    """A model that cannot be converted raises one error that has every reason."""
    result = convert(OLD, tmp_path / "new.keras")
    assert result.proved
    assert not result.refusals
    with pytest.raises(ConversionError) as caught:
        convert(lambda_model(tmp_path / "a.keras"), tmp_path / "b.keras", options=Options(keep_weights=True))
    assert [remark.where for remark in caught.value.refusals] == ["mystery"]
    assert "mystery" in str(caught.value)


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """A file that differs when it is read back never takes the target's place."""
    from ckpttool.conversion import pipeline

    monkeypatch.setattr(pipeline, "differs", lambda *_: "other values than were written")
    target = tmp_path / "new.keras"
    target.write_bytes(b"mine")
    result = run("convert", str(OLD), str(target), "--force")
    assert (result.code, "differs from its source" in result.err) == (2, True)
    assert target.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["new.keras"]


def test_proof_by_running(tmp_path: Path, run: Run) -> None:
    """Keras loads the new model and predicts; a model that it does not load takes no place."""
    result = run("convert", OLD, tmp_path / "new.keras", "--prove", "--keep-weights", "--output", "json")
    prediction = json.loads(result.out)["prediction"]
    assert (result.code, prediction["outputs"], prediction["finite"]) == (0, [[2, 3]], True)
    assert run("convert", OLD, tmp_path / "new.h5", "--prove").code == 2
    source = lambda_model(tmp_path / "source.keras")
    failed = run("convert", source, tmp_path / "lambda.keras", "--prove", "--replace", "mystery=my.layers:double")
    assert (failed.code, "does not load" in failed.err) == (2, True)
    assert not (tmp_path / "lambda.keras").exists()


def test_a_name_that_is_no_text(tmp_path: Path, run: Run) -> None:
    """Half a character, which JSON can name and HDF5 cannot, is one error, and nothing is left behind. Files of
    Keras 2 store no names of objects, so that those of the config are written."""
    source = tmp_path / "source.keras"
    with zipfile.ZipFile(KERAS_2) as old, zipfile.ZipFile(source, "w") as new:
        for name in old.namelist():
            raw = old.read(name)
            if name == "config.json":
                config = json.loads(raw)
                config["config"]["name"] = "\ud800"
                raw = json.dumps(config).encode()
            new.writestr(name, raw)
    result = run("convert", source, tmp_path / "new.keras")
    assert (result.code, "no text" in result.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["source.keras"]
