"""Training that was interrupted and resumed ends where training that was not does."""

import contextlib
import math
import random
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ckpttool.callbacks import ModelCheckpoint, best, latest, load_latest
from tests.callbacks.training import X, Y, fit, names, quiet
from tests.speeds import is_slow

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EPOCHS, BATCHES = 4, 4


class Killed(BaseException):
    """In the place of SIGKILL: nobody gets to do anything any more."""


class Kill(keras.callbacks.Callback):
    """Kills a training after so many batches, before or after the end of the epoch."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts."""
        self.left -= 1
        if self.left == 0:
            raise Killed


def model(eagerly: bool = True) -> Any:
    """A model with random numbers, moving averages and an optimizer with state; the same every time."""
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(6, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3, seed=5),
        keras.layers.Dense(1),
    ]
    built = keras.Sequential(layers)
    built.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"], run_eagerly=eagerly, jit_compile=False)
    return built


def others(restore: bool) -> list[Any]:
    """Callbacks that count, and such as go by the epoch."""
    return [
        keras.callbacks.EarlyStopping(patience=5, restore_best_weights=restore),
        keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.7, min_delta=0.5, cooldown=1),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        keras.callbacks.TerminateOnNaN(),
    ]


def state(trained: Any) -> list[np.ndarray]:
    """All that training changes."""
    return [np.asarray(variable) for variable in (*trained.variables, *trained.optimizer.variables)]


def run(trained: Any, callback: Any, restore: bool, *more: Any) -> Any:
    """The history of a training, the callback first, which is not where it stays."""
    return fit(trained, callback, *others(restore), *more, epochs=EPOCHS)


def interrupted(make: Any, points: list[int], restore: bool) -> tuple[Any, Any]:
    """A training that is killed at every one of these numbers of batches after it went on, then runs to its end."""
    for after in points:
        with pytest.raises(Killed):
            run(model(), make(), restore, Kill(after))
    trained = model()
    return trained, run(trained, make(), restore)


def assert_same(first: Any, other: Any) -> None:
    """All state of two models is equal, to the bit."""
    for a, b in zip(state(first), state(other), strict=True):
        assert np.array_equal(a, b, equal_nan=True)


@cache
def straight(restore: bool) -> tuple[Any, Any]:
    """A training that nobody interrupts or saves, which may get the best weights back at its end, and its history."""
    trained = model()
    return trained, fit(trained, *others(restore), epochs=EPOCHS)


@pytest.mark.parametrize(
    ("name", "restore", "options"),
    [
        ("{epoch}.keras", True, {}),
        ("{epoch}.keras", True, {"background": True, "keep_last": 2}),
        ("m.weights.h5", False, {"save_weights_only": True, "save_freq": 1}),
        ("{epoch}-{batch}.keras", False, {"save_freq": 3, "keep_last": 3, "keep_best": 1, "monitor": "loss"}),
        ("{epoch}-{batch}.h5", False, {"save_freq": 2}),
        ("m.weights.h5", False, {"save_weights_only": True, "save_freq": 3, "background": True}),
    ],
)
@pytest.mark.parametrize("seed", [1, 2] if is_slow() else [2])
def test_it_ends_as_if_nothing_had_happened(
    name: str, restore: bool, options: dict[str, Any], seed: int, tmp_path: Path
) -> None:
    """Killed once or twice at random points, in every format: the weights, the optimizer and the history are equal."""
    rng = random.Random(f"{name}{options}{seed}")
    points = [rng.randint(1, EPOCHS * BATCHES // seed - 1) for _ in range(seed)]

    def make() -> Any:
        return ModelCheckpoint(tmp_path / name, resume=True, **options)

    trained, history = interrupted(make, points, restore)
    expected, whole = straight(restore)
    assert history.epoch == whole.epoch
    assert history.history == whole.history, points
    assert_same(trained, expected)


def test_as_a_graph(tmp_path: Path) -> None:
    """The same where TensorFlow runs a graph, within an epoch and with several steps an execution; it ends as one that
    nobody interrupts or saves."""
    ends = []
    for steps, place, kill in ((1, None, None), (1, "a", 6), (1, "a", None), (2, "b", 5), (2, "b", None)):
        trained = model(eagerly=False)
        trained.steps_per_execution = steps
        callbacks = [ModelCheckpoint(tmp_path / place / "m.keras", save_freq=2, resume=True)] if place else []
        with pytest.raises(Killed) if kill else contextlib.nullcontext():
            fit(trained, *callbacks, *([Kill(kill)] if kill else []), epochs=3, validate=False)
        ends += [] if kill else [trained]
    for other in ends[1:]:
        assert_same(ends[0], other)


def test_early_stopping_stays_stopped(tmp_path: Path) -> None:
    """A training that EarlyStopping had ended gets its best weights; with more patience it continues."""

    def train(patience: int) -> tuple[Any, Any]:
        trained = model()
        stopping = keras.callbacks.EarlyStopping(patience=patience, min_delta=10.0, restore_best_weights=True)
        callback = ModelCheckpoint(tmp_path / "{epoch}.keras", resume=True)
        return trained, fit(trained, callback, stopping, epochs=9)

    first, history = train(2)
    assert len(history.epoch) == 3
    with pytest.warns(UserWarning, match="EarlyStopping had ended this training"):
        again, history = train(2)
    assert history.epoch == [0, 1, 2]
    assert all(np.array_equal(*pair) for pair in zip(first.get_weights(), again.get_weights(), strict=True))
    _, history = train(4)
    assert history.epoch == [0, 1, 2, 3, 4]


def test_nothing_is_left_to_train(tmp_path: Path) -> None:
    """A training that has ended is loaded, and ends at once; `fit` called again by its own later goes its own way."""
    ends = []
    for left in (True, False):
        trained = model()
        with contextlib.nullcontext() if left else pytest.warns(UserWarning, match="Nothing is left to train"):
            history = fit(trained, ModelCheckpoint(tmp_path / "{epoch}.keras", resume=True), epochs=2)
        ends.append(trained)
    assert history.epoch == [0, 1]
    assert_same(*ends)
    assert fit(trained, epochs=1).epoch == [0]


def test_the_best_value_and_retention_continue(tmp_path: Path) -> None:
    """After a restart, a worse model does not replace the best, and no more files are kept than were asked for."""
    from tests.callbacks.training import Played

    options: dict[str, Any] = {"save_best_only": True, "resume": True, "keep_last": 2}
    with quiet():  # nobody else is known where no `fit` calls
        Played(tmp_path / "e{epoch}.keras", **options).play([5, 3, 2])
    second = Played(tmp_path / "e{epoch}.keras", **options)
    with quiet():
        second.play([None, None, None, 4, 1, 3], first=3)
    assert second.best == 1
    assert names(tmp_path) == ["e3.keras", "e5.keras"]
    assert (latest(tmp_path), best(tmp_path)) == (tmp_path / "e5.keras", tmp_path / "e5.keras")


def test_another_run_does_not_touch_the_first(tmp_path: Path) -> None:
    """Without `resume`, what an earlier run kept is not counted, and not deleted."""
    from tests.callbacks.training import Played

    Played(tmp_path / "a{epoch}.keras", keep_last=1).play([1.0] * 4)
    Played(tmp_path / "a{epoch}.keras", keep_last=1).play([1.0] * 2)
    assert names(tmp_path) == ["a2.keras", "a4.keras"]


@pytest.mark.parametrize("harm", ["cut", "changed", "gone", "link"])
def test_a_damaged_file(harm: str, tmp_path: Path) -> None:
    """The one before it is loaded instead, which is said."""
    fit(model(), ModelCheckpoint(tmp_path / "{epoch}.keras", keep_last=2), epochs=3, batch_size=16)
    newest = tmp_path / "3.keras"
    if harm == "cut":
        newest.write_bytes(newest.read_bytes()[:-100])
    elif harm == "changed":
        content, stat = bytearray(newest.read_bytes()), newest.stat()
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
        import os

        os.utime(newest, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a failing disk does it
    else:
        newest.rename(tmp_path / "elsewhere")
        if harm == "link":
            newest.symlink_to("elsewhere")
    with pytest.warns(UserWarning, match=r"3\.keras: .*The checkpoint before it"):
        entry = load_latest(model(), tmp_path)
    assert entry is not None
    assert entry.file == "2.keras"
    trained = model()
    with pytest.warns(UserWarning, match=r"3\.keras: .*The checkpoint before it"):
        history = fit(trained, ModelCheckpoint(tmp_path / "{epoch}.keras", resume=True), epochs=4, batch_size=16)
    assert history.epoch == [0, 1, 2, 3]


def test_nothing_there(tmp_path: Path) -> None:
    """In an empty directory, training begins."""
    assert load_latest(model(), tmp_path / "none") is None
    assert fit(model(), ModelCheckpoint(tmp_path / "n" / "{epoch}.keras", resume=True), epochs=1).epoch == [0]
    assert (latest(tmp_path / "none"), best(tmp_path / "none")) == (None, None)


def test_a_model_that_is_not_built(tmp_path: Path) -> None:
    """`load_latest` says what to do; `fit` builds it before it resumes."""
    fit(model(), ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True), epochs=1)
    bare = keras.Sequential([keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="has to be built"):
        load_latest(bare, tmp_path)


def test_a_model_that_does_not_fit(tmp_path: Path) -> None:
    """Another architecture is an error, not a fresh start."""
    fit(model(), ModelCheckpoint(tmp_path / "{epoch}.keras"), epochs=1)
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(7), keras.layers.Dense(1)])
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"Layer|Received|expected"), quiet():
        fit(other, ModelCheckpoint(tmp_path / "{epoch}.keras", resume=True))


def test_weights_without_an_optimizer(tmp_path: Path) -> None:
    """The old file of weights holds none; that is said."""
    with pytest.warns(UserWarning, match=r"written as weights in the legacy"):
        callback = ModelCheckpoint(tmp_path / "{epoch}.hdf5", save_weights_only=True)
    trained = model()
    fit(trained, callback, epochs=1)
    other = model()
    with pytest.warns(UserWarning, match="no state of the optimizer"):
        load_latest(other, tmp_path)
    assert all(np.array_equal(*pair) for pair in zip(other.get_weights(), trained.get_weights(), strict=True))


def test_a_directory_that_is_only_read(tmp_path: Path) -> None:
    """`load_latest` writes nothing, whatever was left undecided."""
    fit(model(), ModelCheckpoint(tmp_path / "{epoch}.keras"), epochs=2)
    manifest = tmp_path / "checkpoints.json"
    text = manifest.read_text().replace('"state": "complete"', '"state": "writing"')
    manifest.write_text(text)
    entry = load_latest(model(), tmp_path)
    assert entry is not None
    assert (entry.epoch, manifest.read_text()) == (2, text)


def test_states_are_finite_where_nothing_was_counted() -> None:
    """The state of callbacks that have not begun can be written and read."""
    from ckpttool.callbacks import other_callbacks

    with warnings.catch_warnings():
        states = other_callbacks.states_of(others(restore=True))
    assert [each.class_name for each in states] == ["EarlyStopping", "ReduceLROnPlateau"]
    assert not any(isinstance(v, float) and math.isnan(v) for each in states for v in each.values.values())
    assert X.shape[0] == Y.shape[0] == BATCHES * 4


def test_a_generator_that_nothing_has_drawn_from() -> None:
    """Keras's own generator of random numbers is made anew, as it would have been, where it was not there yet."""
    from ckpttool.callbacks import random_states

    trained = model()
    keras.utils.clear_session()
    seeds = random_states.seeds_of(trained)
    assert seeds[0] == ()
    before = random.getstate()
    drawn = keras.ops.convert_to_numpy(keras.random.uniform((3,)))
    random.setstate(before)
    random_states.restore_seeds(trained, seeds)
    assert np.array_equal(keras.ops.convert_to_numpy(keras.random.uniform((3,))), drawn)
