"""A matrix of trainings that are killed and resumed: models, optimizers, formats, occasions, kills, other callbacks.

    python -m tests.callbacks.matrix [--count 200] [--seed 0]

draws members of the whole matrix at random, trains each twice, once killed and resumed, and prints what differs; the
tests train a choice in which every two values of two axes meet.
"""

import argparse
import collections
import contextlib
import hashlib
import io
import itertools
import random
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
from keras import callbacks as keras_callbacks

from ckpttool.callbacks import ModelCheckpoint, snapshot, writer
from tests.callbacks.matrix_models import MODELS, OPTIMIZERS, monitored
from tests.callbacks.test_restoration import Killed

EPOCHS, BATCHES = 3, 3
X = np.linspace(-1, 1, 48, dtype="float32").reshape(12, 4)
Y = X.sum(axis=1, keepdims=True)
SIGNALS = ((0, 1), (0, 2), (1, 1), (2, 0))  # the epochs and batches in which a signal comes


@dataclass(frozen=True, slots=True)
class Member:
    """A training of the matrix: a value on each of its axes, in the order of AXES."""

    model: str
    optimizer: str
    suffix: str
    saves: str
    kill: str
    other: str

    def __str__(self) -> str:
        return ", ".join(astuple(self))


AXES = {
    "model": tuple(MODELS),
    "optimizer": tuple(OPTIMIZERS),
    "suffix": (".keras", ".weights.h5"),
    "saves": ("epoch", "batches", "signal"),
    "kill": ("batch", "end of an epoch", "save", "manifest"),
    "other": ("EarlyStopping", "ReduceLROnPlateau", "LearningRateScheduler", "TensorBoard"),
}
Group = tuple[tuple[int, str], ...]


def groups(member: Member, size: int) -> list[Group]:
    """The combinations of so many of its values, each with its axis."""
    return list(itertools.combinations(enumerate(astuple(member)), size))


def everything() -> list[Member]:
    """The whole matrix."""
    return [Member(*values) for values in itertools.product(*AXES.values())]


def chosen(count: int, tries: int = 200) -> list[Member]:
    """A choice in which all pairs of values meet, and then as many triples as so many members can hold."""
    rng, left, met = random.Random(17), everything(), set[Group]()
    members = list[Member]()
    while len(members) < count:
        best = max(rng.sample(left, tries), key=lambda member: _worth(member, met))
        members.append(best)
        left.remove(best)
        met.update(groups(best, 2), groups(best, 3))
    return members


def _worth(member: Member, met: set[Group]) -> tuple[int, int]:
    return sum(each not in met for each in groups(member, 2)), sum(each not in met for each in groups(member, 3))


# What is no fault of resuming: the training itself fails, killed or not.
REFUSALS: dict[tuple[str, str], str] = {
    ("schedule", "LearningRateScheduler"): "its learning rate is not settable",
    ("schedule", "ReduceLROnPlateau"): "its learning rate is not settable",
}
# What a training that is resumed may warn of: it is over.
SENTENCES = ("EarlyStopping had ended this training", "Nothing is left to train")


def refusal(member: Member) -> str:
    """The reason for which Keras cannot train a member at all, empty where it can."""
    if member.model == "GAN":  # those callbacks set the learning rate of its unused optimizer
        return ""
    return REFUSALS.get((member.optimizer, member.other), "")


class Recorder(keras_callbacks.Callback):
    """Records all logs that callbacks get; those of skipped batches are empty."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: dict[tuple[int, int], dict[str, float]] = {}
        self.epochs: dict[int, dict[str, float]] = {}
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes the logs of a batch."""
        if logs:
            self.batches[self._epoch, batch] = {name: float(value) for name, value in logs.items()}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Notes the logs of an epoch."""
        self.epochs[epoch] = {name: float(value) for name, value in (logs or {}).items()}


class Signals(keras_callbacks.Callback):
    """Gets a signal in some batches."""

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sends the signal."""
        if (self._epoch, batch) in SIGNALS:
            signal.raise_signal(signal.SIGUSR1)


class Killer(keras_callbacks.Callback):
    """Kills a training at the end of a batch or of an epoch."""

    def __init__(self, epoch: int, batch: int | None) -> None:
        super().__init__()
        self._at, self._epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Kills."""
        if (self._epoch, batch) == self._at:
            raise Killed

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Kills."""
        if (epoch, None) == self._at:
            raise Killed


@dataclass
class Ended:
    """All that is left of a training."""

    state: list[np.ndarray]
    history: dict[str, list[float]]
    recorder: Recorder
    rate: float | None
    events: dict[tuple[str, int], float]
    counted: dict[str, Any] = field(default_factory=dict)


class Details:
    """The settings that a member leaves open, decided by its name."""

    def __init__(self, member: Member, seed: int = 0) -> None:
        rng = random.Random(hashlib.sha256(f"{member} {seed}".encode()).digest())
        self.member = member
        self.is_graph = rng.random() < 0.08
        self.validates = rng.random() < 0.3 and member.model != "GAN"
        self.every = rng.choice((2, 3))
        self.is_background = rng.random() < 0.2
        self.update_freq = rng.choice(("epoch", "batch", 1, 2))
        self.order = rng.sample(range(3), 3)
        self.epoch, self.batch = rng.randrange(EPOCHS - 1), rng.randrange(BATCHES)  # EarlyStopping ends it then
        self.save, self.write, self.is_after = rng.randrange(1, 3), rng.randrange(2), rng.random() < 0.5

    def saving(self, place: Path) -> ModelCheckpoint:
        """The callback that is looked at."""
        occasions: dict[str, dict[str, Any]] = {
            "epoch": {},
            "batches": {"save_freq": self.every},
            "signal": {"save_freq": None, "save_on_signal": [signal.SIGUSR1]},
        }
        name = f"e{{epoch}}{self.member.suffix}" if self.member.saves == "epoch" else f"m{self.member.suffix}"
        weights_only = self.member.suffix == ".weights.h5"
        arguments = {"background": self.is_background, **occasions[self.member.saves]}
        return ModelCheckpoint(place / name, save_weights_only=weights_only, resume=True, **arguments)

    def other(self, logs: Path) -> Any:
        """The callback beside it."""
        monitor = monitored(self.member.model)
        callbacks_by_name: dict[str, Callable[[], Any]] = {
            "EarlyStopping": lambda: keras_callbacks.EarlyStopping(
                monitor, patience=1, min_delta=10.0, mode="min", restore_best_weights=True
            ),
            "ReduceLROnPlateau": lambda: keras_callbacks.ReduceLROnPlateau(
                monitor, patience=1, factor=0.7, min_delta=10.0, cooldown=1, mode="min"
            ),
            "LearningRateScheduler": lambda: keras_callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            "TensorBoard": lambda: keras_callbacks.TensorBoard(logs, update_freq=self.update_freq, write_graph=False),
        }
        return callbacks_by_name[self.member.other]()

    def kill(self) -> tuple[list[Any], contextlib.AbstractContextManager[Any]]:
        """The means that kill the training: a callback, or functions that are replaced meanwhile."""
        if self.member.kill == "batch":
            return [Killer(self.epoch, self.batch)], contextlib.nullcontext()
        if self.member.kill == "end of an epoch":
            return [Killer(self.epoch, None)], contextlib.nullcontext()
        if self.member.kill == "save":
            return [], mock.patch.object(snapshot.Snapshot, "write", self._dying(snapshot.Snapshot.write, self.save))
        call = 2 * (self.save - 1) + self.write + 1  # each save writes it twice
        return [], mock.patch.object(writer, "write_manifest", self._dying(writer.write_manifest, call))

    def _dying(self, function: Any, call: int) -> Any:
        """A function that kills before or after its call of this number."""
        left = itertools.count(1)

        def dies(*args: Any) -> None:
            is_last = next(left) == call
            if is_last and not self.is_after:
                raise Killed
            function(*args)
            if is_last:
                raise Killed

        return dies


def trained(details: Details, place: Path | None, logs: Path, *more: Any) -> Ended:
    """A training, as far as it goes; one without a place saves nothing."""
    member = details.member
    model = MODELS[member.model](member.optimizer, run_eagerly=not details.is_graph)
    beside, recorder = details.other(logs), Recorder()
    saving = [details.saving(place)] if place else []
    three = [saving, [beside], [Signals()] if member.saves == "signal" else []]
    callbacks = [each for number in details.order for each in three[number]]
    validation = {"validation_data": (X, Y), "validation_batch_size": len(X)} if details.validates else {}
    arguments = {"batch_size": 4, "shuffle": False, "verbose": 0, **validation}
    history = model.fit(X, Y, epochs=EPOCHS, callbacks=[*callbacks, recorder, *more], **arguments)
    rate = None if member.optimizer == "schedule" else float(np.asarray(model.optimizer.learning_rate))
    counted = {name: getattr(beside, name, None) for name in ("wait", "best", "best_epoch", "cooldown_counter")}
    return Ended(_state(model), history.history, recorder, rate, events(logs), counted)


def _state(model: Any) -> list[np.ndarray]:
    """All that training changes, but for what Keras has no need of after an epoch."""
    optimizers = [each for each in vars(model).values() if isinstance(each, keras.optimizers.Optimizer)]
    unique = {id(each): each for each in optimizers}.values()
    return [np.asarray(each.numpy()) for holder in (model, *unique) for each in holder.variables]


def events(logs: Path) -> dict[tuple[str, int], float]:
    """The scalars of a directory of TensorBoard: their values by directory, tag and step; the last counts."""
    from tensorflow import make_ndarray
    from tensorflow.python.summary.summary_iterator import summary_iterator

    values = {}
    for path in sorted(logs.rglob("events.out.*"), key=lambda path: path.stat().st_mtime_ns):
        for event in summary_iterator(str(path)):
            for value in event.summary.value:
                if value.HasField("tensor"):
                    values[f"{path.parent.name}/{value.tag}", int(event.step)] = make_ndarray(value.tensor).item()
    return values


class Unlike(AssertionError):
    """A training that was killed and resumed ended otherwise than the one that was not."""


def outcome(member: Member, place: Path, seed: int = 0) -> str:
    """Trains a member without saving, and killed and resumed: "equal", or the sentence that says why not. Raises
    Unlike."""
    details = Details(member, seed)
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        why = refusal(member)
        if why:
            return _refused(details, place, why)
        straight = trained(details, None, place / "logs")
        assert bool(straight.events) == (member.other == "TensorBoard")
        _kill(details, place)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            resumed = trained(details, place / "killed", place / "resumed")
        messages = [str(each.message) for each in caught if issubclass(each.category, UserWarning)]
        if odd := [text for text in messages if not any(each in text for each in SENTENCES)]:
            raise Unlike(f"it is warned: {odd[0]}")
        compare(straight, resumed)
        _look_for_leavings(place / "killed")
        return "equal"
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextlib.contextmanager
def _summaries() -> Iterator[None]:
    """Whether and where TensorFlow writes summaries is as before afterwards: a TensorBoard that was killed has left its
    own, with which the next one may write nothing. A process would have died with it."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    from tensorflow import summary

    with summary.record_if(True), summary.create_noop_writer().as_default(0):
        yield


def _refused(details: Details, place: Path, why: str) -> str:
    try:
        trained(details, place, place / "logs")
    except (TypeError, ValueError) as error:
        if why in str(error):
            return why
        raise
    raise Unlike(f"it was trained, and not refused: {why}")


def _kill(details: Details, place: Path) -> None:
    more, patched = details.kill()
    with patched, _summaries(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trained(details, place / "killed", place / "killed_logs", *more)
        except Killed:
            return
    raise Unlike("it was not killed")


def compare(straight: Ended, resumed: Ended) -> None:
    """Raises Unlike where a training that was resumed differs from the whole one, in one bit."""
    for number, (first, other) in enumerate(itertools.zip_longest(straight.state, resumed.state)):
        if first is None or other is None or not np.array_equal(first, other, equal_nan=True):
            raise Unlike(f"variable {number} of {len(straight.state)}: {first} is {other}")
    for name, values in resumed.history.items():
        if values != straight.history[name]:
            raise Unlike(f"history of {name}: {straight.history[name]} is {values}")
    for name in ("batches", "epochs"):
        _compare_parts(name, getattr(straight.recorder, name), getattr(resumed.recorder, name))
    if (straight.rate, straight.counted) != (resumed.rate, resumed.counted):
        raise Unlike(f"{straight.rate}, {straight.counted} is {resumed.rate}, {resumed.counted}")
    tags = {tag for tag, _ in resumed.events}
    for tag in tags:
        first, other = ({step: v for (t, step), v in each.events.items() if t == tag} for each in (straight, resumed))
        _compare_parts(tag, first, other)


def _compare_parts(name: str, whole: dict[Any, Any], part: dict[Any, Any]) -> None:
    """Raises Unlike where the later part of the records differs from the end of the whole."""
    expected = {key: value for key, value in whole.items() if part and key >= min(part)}
    if expected != part:
        odd = sorted(key for key in expected.keys() | part.keys() if expected.get(key) != part.get(key))
        raise Unlike(f"{name} {odd[0]}: {expected.get(odd[0])} is {part.get(odd[0])}")


def _look_for_leavings(directory: Path) -> None:
    left = [path.name for path in directory.iterdir() if path.name.startswith(".")]
    if left:
        raise Unlike(f"left behind: {left}")


def drawn(count: int, seed: int) -> Iterator[Member]:
    """Random members of the whole matrix, each once."""
    yield from random.Random(seed).sample(everything(), count)


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains random members and prints what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    counts = collections.Counter[str]()
    for member in drawn(options.count, options.seed):
        with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
            try:
                result = outcome(member, Path(place), options.seed)
            except Exception as error:
                result = "differs" if isinstance(error, Unlike) else "fails"
                lines = traceback.format_exception_only(error)
                where = traceback.format_tb(error.__traceback__)[-1] if result == "fails" else ""
            else:
                lines, where = [], ""
        counts[result] += 1
        print(f"{member}: {result}", *(f"{line.strip()[:600]}" for line in lines[-1:]), where, flush=True)
    print(dict(counts), flush=True)


if __name__ == "__main__":
    main()
