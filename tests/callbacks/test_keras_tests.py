"""Keras's own tests of ModelCheckpoint and BackupAndRestore, with ckpttool's callback.

The tests of Keras 3.15 come with it (keras/src/callbacks/model_checkpoint_test.py, backup_and_restore_test.py). Those
of ModelCheckpoint run as they are, with another class of that name. Those of BackupAndRestore look at names of files
and attributes of their own; what they ask is asked here in words of ckpttool.
"""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ckpttool.callbacks import ModelCheckpoint, saved_in

kerass_tests = pytest.importorskip("keras.src.callbacks.model_checkpoint_test", reason="Keras came without its tests")
backup_tests = pytest.importorskip("keras.src.callbacks.backup_and_restore_test", reason="Keras came without its tests")
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:ModelCheckpoint mode:UserWarning"),
]


def callback(filepath: str, monitor: str = "val_loss", **arguments: Any) -> Any:
    """A callback for the tests of Keras. A name that no log has is the one difference: Keras warns, and saves over the
    best file; so its own class answers for that, and `test_a_monitor_that_is_not_given` for ckpttool's."""
    kind = keras.callbacks.ModelCheckpoint if monitor == "unknown" else ModelCheckpoint
    return kind(filepath, monitor=monitor, **arguments)


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The tests of ModelCheckpoint, with ckpttool's class in the place of Keras's, which `callbacks` lists."""
    instance = kerass_tests.ModelCheckpointTest()
    instance.callbacks = list[Any]()

    def recorded(*args: Any, **arguments: Any) -> Any:
        instance.callbacks.append(callback(*args, **arguments))
        return instance.callbacks[-1]

    monkeypatch.setattr(kerass_tests, "callbacks", types.SimpleNamespace(ModelCheckpoint=recorded))
    instance.setUp()
    yield instance
    instance.doCleanups()


@pytest.mark.filterwarnings("ignore:Keras would not load")  # a Sequential without Input, which Keras builds by data
@pytest.mark.parametrize("name", ["test_model_checkpoint_options", "test_model_checkpoint_loading"])
def test_model_checkpoint(name: str, case: Any) -> None:
    """A test of Keras's passes, and it is ckpttool's callback that it trained with."""
    getattr(case, name)()
    assert {type(saving) for saving in case.callbacks} >= {ModelCheckpoint}


def backed_up() -> Any:
    """The model of those tests, with a layer that counts how often it is called."""
    instance = keras.Sequential([keras.Input((3,)), backup_tests.CanaryLayer(), keras.layers.Dense(1)])
    instance.compile("sgd", "mse", metrics=["mse"])
    return instance


def train(trained: Any, callbacks: list[Any], epochs: int) -> Any:
    """The history of a training of three batches an epoch."""
    x, y = np.linspace(0, 1, 30, dtype="float32").reshape(10, 3), np.ones((10, 1), "float32")
    return trained.fit(x, y, batch_size=4, shuffle=False, epochs=epochs, verbose=0, callbacks=callbacks)


@pytest.mark.parametrize(("freq", "steps", "epochs", "calls"), [(1, 2, None, 2), ("epoch", None, 2, 6)])
def test_the_best_case(freq: Any, steps: int | None, epochs: int | None, calls: int, tmp_path: Path) -> None:
    """By steps and by epochs: after an interruption every batch is trained once (Keras trains those of a begun epoch
    again, so that its test counts 17 calls where these are 15)."""
    saving = ModelCheckpoint(tmp_path / "m.weights.h5", save_weights_only=True, save_freq=freq, resume=True)
    with pytest.raises(RuntimeError, match="Interruption"):
        train(backed_up(), [saving, backup_tests.InterruptingCallback(steps, epochs)], 6)
    assert saved_in(tmp_path)[-1].step == calls
    again, resumed = backed_up(), ModelCheckpoint(saving.filepath, save_weights_only=True, save_freq=freq, resume=True)
    history = train(again, [resumed], 5)
    assert history.epoch[-1] == 4
    assert int(again.layers[0].counter.value) == 5 * 3


def test_a_corrupted_backup(tmp_path: Path) -> None:
    """Training is resumed from the file before the newest where that is damaged."""
    saving = ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True, keep_last=2, resume=True)
    with pytest.raises(RuntimeError, match="EpochInterruption"):
        train(backed_up(), [saving, backup_tests.InterruptingCallback(steps_int=None, epoch_int=2)], 6)
    (tmp_path / "2.weights.h5").write_text("0")
    again = backed_up()
    with pytest.warns(UserWarning, match="The checkpoint before it is tried"):
        train(again, [ModelCheckpoint(saving.filepath, save_weights_only=True, keep_last=2, resume=True)], 5)
    assert int(again.layers[0].counter.value) == 5 * 3


@pytest.mark.parametrize("freq", ["batch", 0.15])
def test_what_is_no_frequency(freq: Any, tmp_path: Path) -> None:
    """A frequency that is none is refused at once."""
    with pytest.raises(ValueError, match="Unrecognized save_freq"):
        ModelCheckpoint(tmp_path / "m.keras", save_freq=freq)


@pytest.mark.parametrize("path", ["", None])
def test_an_empty_place(path: Any) -> None:
    """No path is refused at once."""
    with pytest.raises((ValueError, TypeError)):
        ModelCheckpoint(path, resume=True)


def test_the_statements_of_the_guides(tmp_path: Path) -> None:
    """Best weights by val_loss, the whole model each epoch, names with both, the old suffix, and others beside it."""
    best = ModelCheckpoint(
        tmp_path / "best.weights.h5", monitor="val_loss", save_best_only=True, save_weights_only=True
    )
    whole = ModelCheckpoint(tmp_path / "whole" / "weights.{epoch:02d}-{val_loss:.2f}.keras")
    with pytest.warns(UserWarning, match="is written as whole model in the legacy HDF5 format"):
        old = ModelCheckpoint(tmp_path / "old" / "weights.{epoch:02d}-{val_loss:.2f}.hdf5")
    others = [
        keras.callbacks.EarlyStopping(patience=9),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
    ]
    x, y = np.linspace(0, 1, 60, dtype="float32").reshape(20, 3), np.ones((20, 1), "float32")
    trained = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    trained.compile("sgd", "mse")
    history = trained.fit(x, y, validation_data=(x, y), epochs=3, verbose=0, callbacks=[best, whole, old, *others])
    names = [f"weights.{n:02d}-{loss:.2f}" for n, loss in enumerate(history.history["val_loss"], 1)]
    assert [path.stem for path in sorted((tmp_path / "whole").glob("*.keras"))] == names
    assert [path.stem for path in sorted((tmp_path / "old").glob("*.hdf5"))] == names
    assert best.best == min(history.history["val_loss"])
    trained.load_weights(tmp_path / "best.weights.h5")
    assert saved_in(tmp_path)[-1].value == best.best


def test_a_monitor_that_is_not_given(tmp_path: Path) -> None:
    """A monitor that no log has is an error at the first batch; Keras saves every epoch over the best file."""
    saving = ModelCheckpoint(tmp_path / "m.keras", monitor="val_acc", mode="max", save_best_only=True)
    with pytest.raises(ValueError, match="There is no 'val_acc'"):
        train(backed_up(), [saving], 1)
