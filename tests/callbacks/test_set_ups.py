"""Set-ups in which people train: resumed, they end as if nothing had happened, or say why not before they train."""

import re
import signal
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ckpttool.callbacks import ModelCheckpoint, saved_in
from ckpttool.errors import FileAccessError
from tests.callbacks.test_restoration import Kill, Killed
from tests.callbacks.training import quiet

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X = np.linspace(-1, 1, 80, dtype="float32").reshape(20, 4)
Y = X.sum(axis=1, keepdims=True)
BATCHES = 5


def sequential(optimizer: Any = None, has_input: bool = True, **compiled: Any) -> Any:
    """A compiled model with random numbers of its own."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(3, activation="tanh"), keras.layers.Dropout(0.2, seed=3), keras.layers.Dense(1)]
    model_ = keras.Sequential([*([keras.Input((4,))] if has_input else []), *layers])
    arguments = {"metrics": ["mae"], "run_eagerly": True, **compiled}
    model_.compile(optimizer or keras.optimizers.Adam(0.02), "mse", **arguments)
    return model_


class Own(keras.Model):
    """A model that is built by its first batch."""

    def __init__(self, part: Any = None) -> None:
        super().__init__()
        self.first, self.last = keras.layers.Dense(3, activation="tanh"), part or keras.layers.Dense(1)

    def call(self, x: Any) -> Any:
        """A forward pass."""
        return self.last(self.first(x))


def own() -> Any:
    """A compiled model of one's own class."""
    keras.utils.set_random_seed(1)
    model_ = Own()
    model_.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"], run_eagerly=True)
    return model_


class Rivals(keras.Model):
    """Two parts with an optimizer each, as those of a GAN."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.other = keras.layers.Dense(2), keras.layers.Dense(1)
        self.first_optimizer = keras.optimizers.Adam(0.03)
        self.other_optimizer = keras.optimizers.SGD(0.01, momentum=0.9)

    def call(self, x: Any) -> Any:
        """A forward pass."""
        return self.other(self.first(x))

    def train_step(self, data: Any) -> Any:
        """A step of each part."""
        import tensorflow as tf

        x, y = data
        for part, optimizer in ((self.first, self.first_optimizer), (self.other, self.other_optimizer)):
            with tf.GradientTape() as tape:
                loss = keras.ops.mean((self(x, training=True) - y) ** 2)
            gradients = tape.gradient(loss, part.trainable_variables)
            optimizer.apply_gradients(zip(gradients, part.trainable_variables, strict=True))
        return {"loss": loss}


def rivals() -> Any:
    """A compiled model of two parts."""
    keras.utils.set_random_seed(1)
    model_ = Rivals()
    model_.compile(run_eagerly=False, jit_compile=False)
    model_(X[:1])
    return model_


def fit(trained: Any, callbacks: list[Any], epochs: int = 4, **options: Any) -> Any:
    """The history of a training of five batches an epoch."""
    arguments = {
        "batch_size": 4,
        "shuffle": False,
        "verbose": 0,
        "validation_data": (X, Y),
        "validation_batch_size": 20,
        **options,
    }
    return trained.fit(X, Y, epochs=epochs, callbacks=callbacks, **arguments)


def state(trained: Any) -> list[np.ndarray]:
    """All that training changes."""
    optimizers = [each for each in vars(trained).values() if isinstance(each, keras.optimizers.Optimizer)]
    optimizers += [trained.optimizer] if trained.optimizer is not None else []
    return [np.asarray(v) for each in (trained, *optimizers) for v in each.variables]


def stopping() -> Any:
    """A callback that keeps the first epoch as the best, and gives its weights back."""
    return keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True, min_delta=0.5)


def last(place: Path, **options: Any) -> Any:
    """A callback that resumes, and saves under one name."""
    return ModelCheckpoint(place / "last.keras", resume=True, **options)


SetUp = tuple[Callable[[], Any], Callable[[Path], list[Any]], int]
SET_UPS: dict[str, SetUp] = {
    "best and last": (
        sequential,
        lambda d: [
            ModelCheckpoint(d / "best.keras", monitor="loss", save_best_only=True, resume=True),
            last(d, save_freq=2),
        ],
        8,
    ),
    "best and last in two directories": (
        sequential,
        lambda d: [
            last(d / "a", save_freq=2),
            ModelCheckpoint(d / "b" / "best.keras", monitor="loss", save_best_only=True, resume=True),
        ],
        8,
    ),
    "scaled loss": (
        lambda: sequential(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.02))),
        lambda d: [last(d, save_freq=2)],
        8,
    ),
    "steps that do not divide an epoch": (
        lambda: sequential(steps_per_execution=3, run_eagerly=False, jit_compile=False),
        lambda d: [last(d, save_freq=1)],
        2,
    ),
    "more steps than an epoch has": (lambda: sequential(steps_per_execution=9), lambda d: [last(d, save_freq=1)], 1),
    "a class of one's own": (own, lambda d: [last(d)], 8),
    "a class of one's own, within an epoch": (own, lambda d: [last(d, save_freq=2)], 8),
    "a Sequential without Input": (lambda: sequential(has_input=False), lambda d: [last(d, save_freq=3)], 9),
    "swapped averages": (
        lambda: sequential(keras.optimizers.Adam(0.02, use_ema=True)),
        lambda d: [keras.callbacks.SwapEMAWeights(swap_on_epoch=True), last(d)],
        8,
    ),
    "best weights, saved by batches": (sequential, lambda d: [stopping(), last(d, save_freq=3)], 8),
    "best weights, the best only": (
        sequential,
        lambda d: [stopping(), last(d, monitor="val_loss", save_best_only=True)],
        8,
    ),
    "after the last batch of an epoch": (sequential, lambda d: [last(d, save_freq=BATCHES)], BATCHES),
    "after the last batch of a later epoch": (sequential, lambda d: [last(d, save_freq=BATCHES)], 2 * BATCHES),
    "two optimizers": (rivals, lambda d: [last(d)], 8),
    "two optimizers, and the best weights": (
        rivals,
        lambda d: [keras.callbacks.EarlyStopping("loss", 3.0, 2, restore_best_weights=True), last(d, save_freq=3)],
        9,
    ),
    "two optimizers, within an epoch": (
        rivals,
        lambda d: [ModelCheckpoint(d / "m.weights.h5", save_weights_only=True, save_freq=2, resume=True)],
        8,
    ),
}


def training_of(trained: Any, callbacks: list[Any]) -> Any:
    """The history of a training of three epochs."""
    return fit(trained, callbacks, epochs=3, **({"validation_data": None} if isinstance(trained, Rivals) else {}))


def straight_with(make: Callable[[], Any], callbacks: list[Any]) -> tuple[Any, list[np.ndarray]]:
    """The history of a training that nobody interrupts, and the state that it leaves."""
    trained = make()
    return training_of(trained, callbacks), state(trained)


@cache
def straight(make: Callable[[], Any]) -> tuple[Any, list[np.ndarray]]:
    """The same without callbacks, for all set-ups that train such a model."""
    return straight_with(make, [])


@pytest.mark.parametrize("name", SET_UPS)
def test_it_ends_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    """Killed and resumed: weights, optimizers and history are those of a training that nobody saved, to the bit."""
    make, callbacks, batches = SET_UPS[name]
    others = [each for each in callbacks(tmp_path) if not isinstance(each, ModelCheckpoint)]
    whole, expected = straight_with(make, others) if others else straight(make)
    with pytest.raises(Killed):
        training_of(make(), [*callbacks(tmp_path), Kill(batches)])
    resumed = make()
    rest = training_of(resumed, callbacks(tmp_path))
    assert 0 < len(rest.epoch) <= len(whole.epoch)
    assert rest.history == whole.history
    assert all(np.array_equal(*pair) for pair in zip(expected, state(resumed), strict=True))


def test_events_of_tensorboard_go_on(tmp_path: Path) -> None:
    """Steps of batches begin where they were."""
    pytest.importorskip("tensorboard")
    board = keras.callbacks.TensorBoard(tmp_path / "logs", update_freq="batch")
    with pytest.raises(Killed):
        fit(sequential(), [board, last(tmp_path, save_freq=3), Kill(8)])
    again = keras.callbacks.TensorBoard(tmp_path / "logs", update_freq="batch")
    fit(sequential(), [again, last(tmp_path, save_freq=3)])
    assert again._global_train_batch == 4 * BATCHES


def test_lora_is_refused(tmp_path: Path) -> None:
    """Its factors are in no file of Keras, which is said before the first training begins."""
    model = sequential()
    model.layers[0].enable_lora(2)
    with pytest.raises(ValueError, match="factors of LoRA in layer"):
        fit(model, [last(tmp_path)])


def test_a_backup_that_would_restore_its_own(tmp_path: Path) -> None:
    """BackupAndRestore behind the callback is refused; before it, both go on."""
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(ValueError, match="BackupAndRestore comes after"):
        fit(sequential(), [last(tmp_path), backup])
    straight, resumed = sequential(), sequential()
    fit(straight, [])
    with pytest.raises(Killed):
        fit(sequential(), [backup, last(tmp_path, save_freq=2), Kill(8)])
    fit(resumed, [keras.callbacks.BackupAndRestore(tmp_path / "backup"), last(tmp_path, save_freq=2)])
    assert all(np.array_equal(*pair) for pair in zip(state(straight), state(resumed), strict=True))


@pytest.mark.parametrize("harm", ["gone", "unreadable", "by Keras"])
@pytest.mark.parametrize("template", ["e{epoch}.keras", "m.keras", "m.weights.h5"])
def test_without_a_manifest(template: str, harm: str, tmp_path: Path) -> None:
    """The newest file whose name fits is gone on from, and no file is written over that nobody knows."""
    weights_only = template.endswith(".weights.h5")
    if harm == "by Keras":
        callback = keras.callbacks.ModelCheckpoint(tmp_path / template, save_weights_only=weights_only)
    else:
        callback = ModelCheckpoint(tmp_path / template, save_weights_only=weights_only)
    fit(sequential(), [callback], epochs=2, batch_size=20)
    if harm == "gone":
        (tmp_path / "checkpoints.json").unlink()
    elif harm == "unreadable":
        (tmp_path / "checkpoints.json").write_text("{")
    before = {path.name: path.read_bytes() for path in tmp_path.glob(f"*{callback.filepath[-3:]}")}
    resumed = sequential()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        again = ModelCheckpoint(tmp_path / template, save_weights_only=weights_only, resume=True)
        rest = fit(resumed, [again], batch_size=20)
    assert rest.epoch == [2, 3]
    assert any("is in no manifest" in str(each.message) for each in caught)
    if "{epoch}" in template:
        assert all((tmp_path / name).read_bytes() == content for name, content in before.items())
    assert int(resumed.optimizer.iterations) == 4


def test_what_nobody_knows_is_not_written_over(tmp_path: Path) -> None:
    """A training that begins anew beside files of the same names saves beside them, or refuses."""
    (tmp_path / "e1.keras").write_bytes(b"precious")
    with pytest.raises(ValueError, match=r"training cannot be resumed from any of the files .*e1\.keras"):
        fit(sequential(), [ModelCheckpoint(tmp_path / "e{epoch}.keras", resume=True)])
    assert (tmp_path / "e1.keras").read_bytes() == b"precious"


def test_a_second_fit_of_one_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same callback continues with the model as it is; another, with nothing left to train, says so."""
    trained, saving = sequential(), last(tmp_path)
    fit(trained, [saving], epochs=2)
    assert fit(trained, [saving], epochs=2).epoch == [0, 1]
    assert "continues with the model as it is" in capsys.readouterr().out
    with pytest.warns(UserWarning, match=r"Nothing is left to train after .*last\.keras: it is epoch 2 of 2"):
        assert fit(sequential(), [last(tmp_path)], epochs=2).epoch == [0, 1]
    assert fit(sequential(), [last(tmp_path, run="fold 2")], epochs=2).epoch == [0, 1]
    assert {entry.run for entry in saved_in(tmp_path)} == {"fold 2"}


def test_another_architecture(tmp_path: Path) -> None:
    """A file that does not fit is one error with the file and the layers, and the model is as it was."""
    fit(sequential(), [last(tmp_path)], epochs=1)
    keras.utils.set_random_seed(1)
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(7), keras.layers.Dense(1)])
    other.compile("sgd", "mse")
    before = state(other)
    with pytest.raises(ValueError, match=r"does not fit .*last\.keras: dense.*Nothing was loaded"):
        fit(other, [last(tmp_path)])
    assert all(np.array_equal(*pair) for pair in zip(before, state(other)[: len(before)], strict=True))


@pytest.mark.parametrize("name", ["12:30 {epoch}.keras", "back\\slash.keras", "a b/ü{epoch}.weights.h5"])
def test_names_of_any_characters(name: str, tmp_path: Path) -> None:
    """Any characters of file names are allowed, and such files are resumed from."""
    trained, resumed = sequential(), sequential()
    saving = ModelCheckpoint(tmp_path / name, save_weights_only=name.endswith(".weights.h5"), resume=True)
    fit(trained, [saving], epochs=1)
    assert (tmp_path / name.format(epoch=1)).is_file()
    again = ModelCheckpoint(tmp_path / name, save_weights_only=saving.save_weights_only, resume=True)
    with pytest.warns(UserWarning, match="Nothing is left"):
        fit(resumed, [again], epochs=1)
    assert all(np.array_equal(*pair) for pair in zip(state(trained), state(resumed), strict=True))


def test_a_link(tmp_path: Path) -> None:
    """The target of a link of this name is written, as by Keras; the link stays."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "m.keras").symlink_to("disk/real.keras")
    fit(sequential(), [ModelCheckpoint(tmp_path / "m.keras")], epochs=1)
    assert (tmp_path / "m.keras").is_symlink()
    assert (tmp_path / "disk" / "real.keras").is_file()


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("file/m.keras", FileAccessError, "cannot be created"),
        ("{val_loss}.keras", KeyError, "no validation data"),
        ("a{epoch}/../../m.keras", ValueError, "leads out of the directory"),
    ],
)
def test_paths_that_cannot_be(name: str, error: type[Exception], match: str, tmp_path: Path) -> None:
    """They are refused before anything is trained."""
    (tmp_path / "file").write_text("")
    trained = sequential()
    with pytest.raises(error, match=match):
        fit(trained, [ModelCheckpoint(tmp_path / name)], epochs=1, validation_data=None)
    assert int(trained.optimizer.iterations) == 0


class NoConfig(Own):
    """A model that has to be given a part, and says nothing of it."""

    def __init__(self, part: Any) -> None:
        super().__init__(part)


def test_a_model_without_a_config(tmp_path: Path) -> None:
    """A model without `get_config`, of which only weights can be saved, is an error before training."""
    trained = NoConfig(keras.layers.Dense(1))
    trained.compile("adam", "mse", run_eagerly=True)
    with pytest.raises(NotImplementedError, match="must override `get_config"):
        fit(trained, [ModelCheckpoint(tmp_path / "m.keras")], epochs=1)
    assert int(trained.optimizer.iterations) == 0
    fit(trained, [ModelCheckpoint(tmp_path / "m.weights.h5", save_weights_only=True)], epochs=1)
    assert [entry.file for entry in saved_in(tmp_path)] == ["m.weights.h5"]


def test_a_training_that_fails_gives_its_files_up(tmp_path: Path) -> None:
    """Another process may save them, though this one lives on."""
    saving = last(tmp_path)
    with pytest.raises(Killed):
        fit(sequential(), [saving, Kill(7)])
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_epochs_without_validation(tmp_path: Path) -> None:
    """They get no name with a value of a validation, which is said before."""
    with pytest.warns(UserWarning, match="Only epochs with a validation are saved"):
        fit(sequential(), [ModelCheckpoint(tmp_path / "{epoch}-{val_loss:.1f}.keras")], validation_freq=2)
    assert [entry.epoch for entry in saved_in(tmp_path)] == [2, 4]


def test_logs_of_other_callbacks(tmp_path: Path) -> None:
    """A log that a function of the user's adds is no unknown one."""

    def add(epoch: int, logs: Any) -> None:
        logs["mine"] = 1.0 / (epoch + 1)

    adding = keras.callbacks.LambdaCallback(on_epoch_end=add)
    fit(sequential(), [adding, ModelCheckpoint(tmp_path / "{epoch}-{mine:.2f}.keras", monitor="mine", mode="min")])
    assert [entry.file for entry in saved_in(tmp_path)][-1] == "4-0.25.keras"


def test_other_signals(tmp_path: Path) -> None:
    """Chosen signals are delayed until the model is saved."""

    class Signalled(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """Sends itself a signal."""
            if batch == 2:
                signal.raise_signal(signal.SIGUSR1)

    arrived: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: arrived.append(len(saved_in(tmp_path))))
    try:
        saving = last(tmp_path, save_on_signal=[signal.SIGUSR1])
        fit(sequential(), [Signalled(), saving], epochs=1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert arrived == [1]
    with pytest.raises(ValueError, match="no process can delay SIGKILL"):
        last(tmp_path, save_on_signal=[signal.SIGKILL])


def test_two_trainings_of_one_name(tmp_path: Path) -> None:
    """The second is told who holds the files; a claim that nobody holds any more is taken over."""
    import subprocess
    import sys

    code = (
        "import sys, time; from pathlib import Path; from ckpttool.callbacks.claim import Claim\n"
        "claim = Claim(Path(sys.argv[1]), 'last.keras'); claim.take(); print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with (
                pytest.raises(FileAccessError, match=f"(?s)another training saves these files.*process {other.pid} on"),
                quiet(),
            ):
                fit(sequential(), [last(tmp_path)], epochs=1)
        finally:
            other.kill()
    fit(sequential(), [last(tmp_path)], epochs=1)
    assert not [path for path in tmp_path.iterdir() if re.search(r"\.lock$", path.name)]
