"""Saves that cannot be made: a full disk, a directory that is gone or is none."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.trainers.epoch_iterator import EpochIterator

from ckpttool.callbacks import ModelCheckpoint, latest, saved_in
from ckpttool.callbacks.failures import Watch
from ckpttool.errors import FileAccessError
from tests.callbacks.training import Played, X, Y, fit, model, names
from tests.limits import files_of_at_most

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Fills(keras.callbacks.Callback):
    """The disk is full in the second epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.full: Any = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Fills the disk, or makes room again."""
        if epoch == 1:
            self.full = files_of_at_most(4096)
            self.full.__enter__()
        elif self.full is not None:
            self.full.__exit__(None, None, None)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_a_full_disk(suffix: str, background: bool, tmp_path: Path) -> None:
    """The file that was there stays as it was, nothing else is left, and the message names the cause."""
    path = tmp_path / f"m{suffix}"
    saving = ModelCheckpoint(path, save_weights_only=suffix == ".weights.h5", background=background)
    trained = model()
    fit(trained, saving, epochs=1)
    before = path.read_bytes()
    assert len(before) > 4096
    with files_of_at_most(4096), pytest.raises(FileAccessError, match="File too large"):
        fit(trained, saving, epochs=1)
    assert path.read_bytes() == before
    assert names(tmp_path) == [path.name]
    assert latest(tmp_path) == path


def test_room_again(tmp_path: Path) -> None:
    """With `on_error="warn"` training goes on, and what comes later is saved; the best is what was saved."""
    directory = tmp_path / "run"
    saving = ModelCheckpoint(directory / "{epoch}.keras", on_error="warn", save_best_only=True, keep_best=2)
    with pytest.warns(UserWarning, match=r"(?s)could not be saved.*run/2.keras: cannot.*File too large") as warned:
        fit(model(), Fills(), saving, epochs=3)
    assert len([message for message in warned if "File too large" in str(message.message)]) == 1
    assert names(directory) == ["1.keras", "3.keras"]
    assert [entry.epoch for entry in saved_in(directory)] == [1, 3]


def test_a_best_model_that_could_not_be_saved(tmp_path: Path) -> None:
    """It is not the best one afterwards: a later model only has to be better than the best file."""
    saving = Played(tmp_path / "{epoch}.keras", save_best_only=True, on_error="warn")
    saving.play([3.0])
    with files_of_at_most(4096), pytest.warns(UserWarning, match=r"(?s)could not be saved.*File too large"):
        saving.play([3.0, 1.0], first=1)
    assert saving.best == 3.0
    saving.play([3.0, 1.0, 2.0], first=2)
    assert saving.best == 2.0
    assert names(tmp_path) == ["1.keras", "3.keras"]


class Removes(keras.callbacks.Callback):
    """The directory is gone after the first epoch; in its place may stand a file."""

    def __init__(self, directory: Path, by_a_file: bool) -> None:
        super().__init__()
        self.directory, self.by_a_file = directory, by_a_file

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Removes it."""
        if epoch == 1:
            shutil.rmtree(self.directory)
            if self.by_a_file:
                self.directory.write_bytes(b"")


def test_a_training_without_fit(tmp_path: Path) -> None:
    """A model that is trained by its author's own loop is as it was after it, and can be trained once more."""
    trained, saving = model(), ModelCheckpoint(tmp_path / "{epoch}.keras", resume=False)
    saving.set_model(trained)
    for epoch in range(2):
        saving.on_train_begin()
        saving.on_epoch_begin(epoch)
        saving.on_train_batch_end(0, {"loss": 1.0})
        saving.on_epoch_end(epoch, {"loss": 1.0})
        saving.on_train_end()
    assert trained.train_function is None
    assert names(tmp_path) == ["1.keras", "2.keras"]
    fit(trained, saving, epochs=1)


def test_data_that_fail_between_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PyTorch, `fit` reads its batches outside of what it calls: an error there is reported once, the end of the
    data never, and the iterator is Keras's own again at the end."""

    def batches(whole: bool) -> Iterator[Any]:
        yield from [(X[:4], Y[:4])] * 3
        if not whole:
            raise OSError("the disk is gone")

    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    for whole in (True, False):
        reported: list[BaseException] = []
        watch, epoch_iterator = Watch(reported.append), EpochIterator(batches(whole))
        watch.begin(model(), None)
        with pytest.warns(UserWarning, match="ran out of data") if whole else pytest.raises(OSError, match="is gone"):
            assert [end for _, end, _ in epoch_iterator] == [0, 1, 2]
        assert [str(error) for error in reported] == ([] if whole else ["the disk is gone"])
        watch.end()
        assert "_enumerate_iterator" not in vars(epoch_iterator)


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    """The directory is created again, as at the beginning."""
    directory = tmp_path / "a" / "run"
    fit(model(), Removes(directory, by_a_file=False), ModelCheckpoint(directory / "{epoch}.keras"), epochs=3)
    assert [entry.epoch for entry in saved_in(directory)] == [2, 3]
    assert names(directory) == ["2.keras", "3.keras"]


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    """The message names it."""
    directory = tmp_path / "run"
    removes = Removes(directory, by_a_file=True)
    with pytest.raises(FileAccessError, match=r"run.*cannot be written"):
        fit(model(), removes, ModelCheckpoint(directory / "{epoch}.keras"), epochs=3)


WITHOUT_KERAS = """
import sys
sys.modules["keras"] = None
import ckpttool.callbacks
print(ckpttool.callbacks.latest("fixtures/run"), ckpttool.callbacks.best("fixtures/run"))
try:
    ckpttool.callbacks.ModelCheckpoint
except ImportError as error:
    print(error)
assert not {"tensorflow", "h5py", "numpy"} & set(sys.modules)
"""


def test_without_keras() -> None:
    """Saved checkpoints are found without Keras; the callback says what to install."""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", WITHOUT_KERAS], cwd=root, capture_output=True, text=True, check=True)
    stored, messages = done.stdout.splitlines()
    assert stored == "fixtures/run/epoch_03.weights.h5 fixtures/run/epoch_02.weights.h5"
    assert "ckpttool.callbacks.ModelCheckpoint needs Keras 3" in messages
    assert messages.endswith('pip install "ckpttool[tensorflow]"')


def test_a_model_that_keras_would_not_load(tmp_path: Path) -> None:
    """Is saved, with one warning that says why, at the first save alone."""
    layers = [keras.layers.Lambda(lambda x: x * 2, name="twice"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.ones((4, 1))
    saving = ModelCheckpoint(tmp_path / "{epoch}.keras")
    with pytest.warns(UserWarning, match="Keras would not load .*1.keras as it is saved: layer twice: ") as messages:
        model.fit(x, y, epochs=2, verbose=0, callbacks=[saving])
    assert len([message for message in messages if "would not load" in str(message.message)]) == 1
    assert sorted(path.name for path in tmp_path.glob("*.keras")) == ["1.keras", "2.keras"]
