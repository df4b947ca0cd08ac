"""The callback does what Keras's own does, but for what was wrong there."""

import contextlib
import math
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import ckpttool
from ckpttool.callbacks import ModelCheckpoint, best, latest, load_latest, saved_in
from ckpttool.comparison import Scope
from ckpttool.manifest import read_manifest
from tests.callbacks.training import Played, X, Y, fit, model, names, quiet

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

nan, inf = math.nan, math.inf


def epochs(directory: Path) -> list[int]:
    """The epochs that were saved, by the manifest."""
    return [entry.epoch for entry in saved_in(directory)]


def filled(path: Path) -> float:
    """The number that all weights in a file are filled with."""
    with ckpttool.open(path) as checkpoint:
        (value,) = {float(v) for weight in checkpoint.section(ckpttool.Section.MODEL) for v in np.unique(weight.read())}
    return value


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize(
    ("suffix", "weights_only"), [(".keras", False), (".h5", False), (".weights.h5", True)]
)  # fmt: skip
def test_keras_loads_what_was_saved(suffix: str, weights_only: bool, background: bool, tmp_path: Path) -> None:
    """Every format, with all that it holds: a loaded model predicts the same, and trains on in the same way."""
    trained, path = model(), tmp_path / f"m{suffix}"
    callback = ModelCheckpoint(path, save_weights_only=weights_only, background=background)
    fit(trained, callback, epochs=2, batch_size=16)
    other = model(seed=2)
    if weights_only:
        load_latest(other, tmp_path)
    else:
        with quiet():
            other = keras.models.load_model(path, compile=suffix != ".h5")  # Keras 3 does not read its own "mse" there
    assert np.array_equal(other.predict(X, verbose=0), trained.predict(X, verbose=0))
    if suffix != ".h5":
        for each in (other, trained):
            fit(each, epochs=1, validate=False)
        assert all(np.array_equal(*pair) for pair in zip(other.get_weights(), trained.get_weights(), strict=True))


def test_what_keras_would_have_written(tmp_path: Path) -> None:
    """The same weights at the same places under the same names, and the same config, in every format."""
    trained = model()
    fit(trained, epochs=1)
    for suffix, weights_only in ((".keras", False), (".h5", False), (".weights.h5", True)):
        for kind, name in ((ModelCheckpoint, "ours"), (keras.callbacks.ModelCheckpoint, "keras")):
            callback = kind(tmp_path / f"{name}{suffix}", save_weights_only=weights_only)
            callback.set_model(trained)
            callback.on_train_begin()
            with quiet():
                callback.on_epoch_end(0, {})
        ours, theirs = (tmp_path / f"{name}{suffix}" for name in ("ours", "keras"))
        with ckpttool.open(ours) as a, ckpttool.open(theirs) as b:
            assert {w.path: (w.shape, w.dtype, w.name) for w in a.values()} == {
                w.path: (w.shape, w.dtype, w.name) for w in b.values()
            }
            assert (a.config, a.training_config) == (b.config, b.training_config)
        assert not ckpttool.diff(ours, theirs).differences


@pytest.mark.parametrize(
    ("mode", "monitor", "values", "saved"),
    [
        ("auto", "val_loss", [3, 2, 4, 1], [1, 2, 4]),
        ("min", "val_loss", [3, 3, 2], [1, 3]),
        ("max", "val_acc", [1, 3, 2, 4], [1, 2, 4]),
        ("max", "score", [1, 0, 2], [1, 3]),
        ("min", "val_loss", [nan, 2, nan, 1], [2, 4]),  # Keras keeps the first NaN for ever
        ("min", "val_loss", [nan, nan], []),
        ("min", "val_loss", [inf, 2], [1, 2]),
        ("max", "score", [-inf, 2], [1, 2]),
        ("min", "val_loss", [3, None, 2], [1, 3]),  # Keras saves where the value is missing
        ("min", "val_loss", [None, 3, None], [1, 2]),
    ],
)
def test_the_best_only(mode: str, monitor: str, values: list[Any], saved: list[int], tmp_path: Path) -> None:
    """A better value is saved, an equal or missing one not; NaN is never better, and nothing good is lost for it."""
    callback = Played(tmp_path / "m.weights.h5", monitor, save_best_only=True, save_weights_only=True, mode=mode)
    with quiet():
        callback.play(values, monitor)
    assert names(tmp_path) == (["m.weights.h5"] if saved else [])
    if saved:
        assert filled(tmp_path / "m.weights.h5") == saved[-1]
    template = Played(tmp_path / "e{epoch}.weights.h5", monitor, save_best_only=True, save_weights_only=True, mode=mode)
    with quiet():
        template.play(values, monitor)
    assert sorted(int(n[1]) for n in names(tmp_path) if n[0] == "e") == saved


def test_the_threshold(tmp_path: Path) -> None:
    """Nothing is the best that is not better than `initial_value_threshold`."""
    callback = Played(tmp_path / "{epoch}.keras", save_best_only=True, initial_value_threshold=2.0)
    callback.play([3, 2, 1.5])
    assert names(tmp_path) == ["3.keras"]


def test_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `verbose=1`, Keras's sentences."""
    Played(tmp_path / "m.keras", save_best_only=True, verbose=1).play([2, 3, 1])
    output = capsys.readouterr().out
    assert "Epoch 1: val_loss improved from None to 2.00000, saving model to" in output
    assert "Epoch 2: val_loss did not improve from 2.00000" in output
    assert "Epoch 3: val_loss improved from 2.00000 to 1.00000" in output


@pytest.mark.parametrize(("save_freq", "steps"), [(3, 1), (5, 1), (4, 2), (3, 2), (1, 1)])
def test_every_so_many_batches(save_freq: int, steps: int, tmp_path: Path) -> None:
    """As Keras counts them, with several steps an execution too; the newest weights are those of its file."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    for kind, place in ((ModelCheckpoint, ours), (keras.callbacks.ModelCheckpoint, theirs)):
        callback = kind(place / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=save_freq)
        fit(model(steps_per_execution=steps), callback, epochs=1 if save_freq == 1 else 3)
    assert names(ours) == names(theirs) != []
    for name in names(ours):
        assert not ckpttool.diff(ours / name, theirs / name, Scope(optimizer=True)).differences


def test_batches_and_the_best_only(tmp_path: Path) -> None:
    """A validation metric is waited for until the epoch ends; Keras raises a TypeError."""
    callback = ModelCheckpoint(tmp_path / "m.weights.h5", save_best_only=True, save_weights_only=True, save_freq=2)
    fit(model(), callback)
    assert [entry.reason for entry in saved_in(tmp_path)] == ["epoch"]
    callback = ModelCheckpoint(
        tmp_path / "b.weights.h5", "loss", save_best_only=True, save_weights_only=True, save_freq=2
    )
    fit(model(), callback)
    assert saved_in(tmp_path)[-1].reason == "batch"


def test_names_are_checked_after_the_first_batch(tmp_path: Path) -> None:
    """A log that never comes costs no epoch, and the names that there are, are told."""
    with pytest.raises(KeyError, match=r"no 'val_acc'.*'?val_mae"):
        fit(model(), ModelCheckpoint(tmp_path / "{epoch}-{val_acc:.2f}.keras"))
    with pytest.raises(ValueError, match=r"no 'val_los'.*Did you mean 'val_loss'"):
        fit(model(), ModelCheckpoint(tmp_path / "m.keras", "val_los", save_best_only=True))
    assert not tmp_path.exists() or names(tmp_path) == []


def test_a_metric_that_a_callback_adds(tmp_path: Path) -> None:
    """Own callbacks may make logs of their own: nothing is refused early then."""

    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["mine"] = float(epoch)

    fit(model(), Adds(), ModelCheckpoint(tmp_path / "{mine:.0f}.keras", "mine", save_best_only=True, mode="max"))
    assert names(tmp_path) == ["0.keras", "1.keras", "2.keras"]


def test_retention(tmp_path: Path) -> None:
    """The last two, the best, and every fourth stay; nothing else goes, above all not what is not ours."""
    (tmp_path / "e02.keras.mine").write_text("x")
    (tmp_path / "e99.keras").write_text("x")
    Played(tmp_path / "e{epoch:02d}.keras", keep_last=2, keep_best=1, keep_every=4).play([5, 1, 3, 3, 4, 2, 6, 7, 8])
    assert names(tmp_path) == [
        "e02.keras", "e02.keras.mine", "e04.keras", "e08.keras", "e09.keras", "e99.keras",
    ]  # fmt: skip
    assert epochs(tmp_path) == [2, 4, 8, 9]
    assert (latest(tmp_path), best(tmp_path)) == (tmp_path / "e09.keras", tmp_path / "e02.keras")


def test_equal_names(tmp_path: Path) -> None:
    """A file that is kept is not written over by another of the same name: the later one gets a number."""
    Played(tmp_path / "{val_loss:.1f}.keras", keep_last=3).play([1.0, 1.0, 1.0])
    assert names(tmp_path) == ["1.0-2.keras", "1.0-3.keras", "1.0.keras"]
    assert [filled(tmp_path / entry.file) for entry in saved_in(tmp_path)] == [1, 2, 3]


def test_a_model_that_has_become_nan(tmp_path: Path) -> None:
    """A NaN model replaces nothing, with a warning; with `verify=False` it does."""
    broken = model()
    weights = broken.get_weights()
    for verify, saved in ((True, 1), (False, 2)):
        callback = Played(tmp_path / "m.weights.h5", save_weights_only=True, verify=verify)
        callback.play([1.0])
        broken.set_weights([np.full_like(weights[0], nan), *weights[1:]])
        callback.set_model(broken)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            callback.on_epoch_end(1, {})
        assert any("has become NaN" in str(each.message) for each in caught) == verify
        assert saved_in(tmp_path)[-1].epoch == saved


@pytest.mark.parametrize(("name", "weights_only"), [("w.hdf5", False), ("w.hdf5", True), ("w.h5", True)])
def test_old_spellings(name: str, weights_only: bool, tmp_path: Path) -> None:
    """Warned of once, and written in the container that loads under that name."""
    with pytest.warns(UserWarning, match="is written as") as caught:
        callback = ModelCheckpoint(tmp_path / name, save_weights_only=weights_only)
    assert len(caught) == 1
    trained = model()
    fit(trained, callback, epochs=1)
    other, warned = model(seed=2), pytest.warns(UserWarning, match="no state of the optimizer")
    with warned if weights_only else contextlib.nullcontext():
        load_latest(other, tmp_path)
    assert np.array_equal(other.predict(X, verbose=0), trained.predict(X, verbose=0))


def test_what_the_manifest_says(tmp_path: Path) -> None:
    """Epoch, step, logs, value, best, checksum, size, seconds and versions, as JSON."""
    import json

    fit(model(), ModelCheckpoint(tmp_path / "{epoch}.keras", save_best_only=False))
    entries = json.loads((tmp_path / "checkpoints.json").read_text())["checkpoints"]
    assert [(e["file"], e["epoch"], e["batch"], e["step"]) for e in entries] == [
        ("1.keras", 1, None, 4), ("2.keras", 2, None, 8), ("3.keras", 3, None, 12),
    ]  # fmt: skip
    assert set(entries[0]["logs"]) == {"loss", "mae", "val_loss", "val_mae"}
    assert entries[0]["keras"] == keras.__version__
    assert sum(e["best"] for e in entries) == 1
    assert all(e["complete"] and e["size"] > 1000 and len(e["sha256"]) == 64 for e in entries)
    assert min(entries, key=lambda e: e["value"])["best"]


def test_at_the_end_and_when_fit_fails(tmp_path: Path) -> None:
    """The trained weights are not lost, and not saved twice."""

    class Fails(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 2:
                raise RuntimeError("own fault")

    fit(model(), ModelCheckpoint(tmp_path / "a/{epoch}.keras", every_n_epochs=2, save_at_end=True))
    assert names(tmp_path / "a") == ["2.keras", "checkpoint.last.keras"]
    fit(model(), ModelCheckpoint(tmp_path / "b/{epoch}.keras", save_at_end=True))
    assert names(tmp_path / "b") == ["1.keras", "2.keras", "3.keras"]
    with pytest.raises(RuntimeError, match="own fault"):
        fit(model(), ModelCheckpoint(tmp_path / "c/{epoch}.keras", save_on_exception=True), Fails())
    (entry,) = saved_in(tmp_path / "c")
    assert (entry.reason, entry.step) == ("exception", 3)


def test_a_subclassed_model(tmp_path: Path) -> None:
    """A subclassed model is saved and loaded as well."""

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    own = Own()
    own.compile("sgd", "mse", jit_compile=False)
    fit(own, ModelCheckpoint(tmp_path / "m.weights.h5", save_weights_only=True), epochs=1)
    other = Own()
    other.compile("sgd", "mse", jit_compile=False)
    other(X)
    load_latest(other, tmp_path)
    assert np.array_equal(other.predict(X, verbose=0), own.predict(X, verbose=0))


def test_the_arguments_are_those_of_keras() -> None:
    """The same names in the same order with the same defaults; what is new is by keyword only."""
    import inspect

    ours, theirs = (
        inspect.signature(kind.__init__).parameters for kind in (ModelCheckpoint, keras.callbacks.ModelCheckpoint)
    )
    common = list(theirs.values())
    assert [(p.name, p.default) for p in list(ours.values())[: len(common)]] == [(p.name, p.default) for p in common]
    assert all(p.kind is p.KEYWORD_ONLY for p in list(ours.values())[len(common) :])


def test_a_manifest_that_is_none(tmp_path: Path) -> None:
    """A manifest that is none is set aside with a warning, and training continues."""
    (tmp_path / "checkpoints.json").write_text("{")
    with pytest.warns(UserWarning, match="It is renamed to"):
        Played(tmp_path / "m.keras").play([1.0])
    assert epochs(tmp_path) == [1]
    assert read_manifest(tmp_path).problems == ()


def test_loss_and_targets() -> None:
    """The data that these tests train on can be learnt, so that values change."""
    history = fit(model(), epochs=2)
    assert history.history["loss"][0] > history.history["loss"][1]
    assert Y.shape == (16, 1)
