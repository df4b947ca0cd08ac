"""Saving in the background: what is written is the model of the moment of the call, and no error is lost."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import ckpttool
from ckpttool.callbacks import ModelCheckpoint, saved_in
from ckpttool.callbacks.snapshot import Buffers
from ckpttool.callbacks.sources import _KerasSource, _SnapshotSource
from ckpttool.errors import CheckpointError, FileAccessError
from tests.callbacks.training import fit, model, names

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WAIT = 30.0  # seconds after which a test has failed


class OfItsOwn(keras.Sequential):
    """A model that Keras has to save, because its class has a way of its own."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves as any model."""
        super().save(*args, **kwargs)

    def save_weights(self, *args: Any, **kwargs: Any) -> None:
        """Saves as any model."""
        super().save_weights(*args, **kwargs)


def model_of_class(class_: type[Any]) -> Any:
    """A compiled model of this class."""
    other_model = class_.from_config(model().get_config())
    other_model.compile("adam", "mse", run_eagerly=True)
    return other_model


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nothing is written before it is opened."""
    opened = threading.Event()
    for source in (_SnapshotSource, _KerasSource):
        write = source.write

        def late(self: Any, path: Path, write: Any = write) -> None:
            assert opened.wait(WAIT)
            write(self, path)

        monkeypatch.setattr(source, "write", late)
    yield opened
    opened.set()


class Opens(keras.callbacks.Callback):
    """Remembers the weights after each epoch, and lets the file of the first be written after the second."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self.gate, self.weights = gate, list[Any]()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Remembers."""
        self.weights.append([np.array(weight) for weight in self.model.get_weights()])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Opens the gate late in the second epoch."""
        if len(self.weights) == 1 and batch == 3:
            self.gate.set()


@pytest.mark.filterwarnings("ignore:.*legacy HDF5 format:UserWarning")
@pytest.mark.parametrize(
    ("name", "weights_only", "class_"),
    [
        ("{epoch}.keras", False, keras.Sequential),
        ("{epoch}.weights.h5", True, keras.Sequential),
        ("{epoch}.h5", False, keras.Sequential),
        ("{epoch}.hdf5", True, keras.Sequential),
        ("{epoch}.keras", False, OfItsOwn),
        ("{epoch}.weights.h5", True, OfItsOwn),
    ],
)
def test_the_weights_of_the_call(
    name: str, weights_only: bool, class_: type[Any], gate: threading.Event, tmp_path: Path
) -> None:
    """A model that is trained on while its file waits to be written: the file holds what the model held before."""
    remembers = Opens(gate)
    saving = ModelCheckpoint(tmp_path / name, save_weights_only=weights_only, background=True)
    fit(model_of_class(class_), remembers, saving, epochs=2)
    first, second = remembers.weights
    assert any(np.any(values != other) for values, other in zip(first, second, strict=True))
    for epoch, expected in enumerate(remembers.weights, 1):
        with ckpttool.open(tmp_path / name.format(epoch=epoch)) as checkpoint:
            first_values = [weight.read() for weight in checkpoint.section(ckpttool.Section.MODEL)]
        assert len(first_values) == len(expected) == 4
        for values in expected:
            assert any(np.array_equal(values, other) for other in first_values)


class Marked(keras.Sequential):
    """A model whose class saves no weights but ones, and its own weights nowhere."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves ones."""
        self._saved_as_ones(super().save, *args, **kwargs)

    def save_weights(self, *args: Any, **kwargs: Any) -> None:
        """Saves ones."""
        self._saved_as_ones(super().save_weights, *args, **kwargs)

    def _saved_as_ones(self, save: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        weights = self.get_weights()
        self.set_weights([np.ones_like(values) for values in weights])
        save(*args, **kwargs)
        self.set_weights(weights)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_a_class_that_saves_itself(suffix: str, background: bool, tmp_path: Path) -> None:
    """The file holds what the way of saving of the class writes, and the model is trained on as it was."""
    trained = model_of_class(Marked)
    before = trained.get_weights()
    saving = ModelCheckpoint(tmp_path / f"m{suffix}", save_weights_only=suffix != ".keras", background=background)
    fit(trained, saving, epochs=1)
    with ckpttool.open(tmp_path / f"m{suffix}") as checkpoint:
        stored = [weight.read() for weight in checkpoint.section(ckpttool.Section.MODEL)]
    assert len(stored) == len(before)
    assert all((values == 1).all() for values in stored)
    assert not any((values == 1).all() for values in trained.get_weights())


def test_copies() -> None:
    """They keep their values, and the memory is used again while shapes and types are the same."""
    buffers, values = Buffers(), np.arange(6.0).reshape(2, 3).T
    first = buffers.copy_of("a", values)
    values[:] = 7
    assert first.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert first.flags.c_contiguous
    assert np.shares_memory(first, buffers.copy_of("a", values))
    for other in (values.astype("float32"), values[:2]):
        second = buffers.copy_of("a", other)
        assert (second.dtype, second.tolist()) == (other.dtype, other.tolist())
        assert not np.shares_memory(first, second)
    assert not np.shares_memory(buffers.copy_of("b", values), buffers.copy_of("a", values))


class Failing:
    """Saves that fail from the second on, until `mended`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mended, self.count, write = False, 0, _SnapshotSource.write

        def failing(source: Any, path: Path) -> None:
            self.count += 1
            if self.count > 1 and not self.mended:
                raise FileAccessError("cannot be written", path=str(path), found="No space left on device")
            write(source, path)

        monkeypatch.setattr(_SnapshotSource, "write", failing)


class Notes(keras.callbacks.Callback):
    """Counts the batches that were trained."""

    batches = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts."""
        self.batches += 1


@pytest.mark.parametrize("epochs", [2, 3])
def test_errors_are_reported(epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next call, or at the end of the training where there is none; what was saved before is still there."""
    failing, notes = Failing(monkeypatch), Notes()
    with pytest.raises(CheckpointError, match="No space left"):
        fit(model(), ModelCheckpoint(tmp_path / "{epoch}.keras", background=True), notes, epochs=epochs)
    assert failing.count == 2
    assert notes.batches <= 4 * epochs
    assert names(tmp_path) == ["1.keras"]
    assert [entry.file for entry in saved_in(tmp_path)] == ["1.keras"]


def test_training_goes_on_where_a_warning_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And later files are saved again."""
    failing = Failing(monkeypatch)

    class Mends(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            failing.mended = epoch == 3

    saving = ModelCheckpoint(tmp_path / "{epoch}.keras", background=True, on_error="warn")
    with pytest.warns(UserWarning, match="No space left"):
        fit(model(), Mends(), saving, epochs=4)
    assert names(tmp_path) in (["1.keras", "4.keras"], ["1.keras", "3.keras", "4.keras"])  # the third may wait so long
    assert "4.keras" in names(tmp_path)
