"""Models of a user's own classes: a live model decides where weights go, and genuine Keras loads what comes out."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool import Architecture
from ckpttool.conversion import Options, convert, plan
from ckpttool.errors import ConversionError
from ckpttool.model.live.user_function import architecture_of_function
from tests.conftest import Outcome
from tests.live import keras as live_keras
from tests.model.live.once import asked_once
from tests.samples import FIXTURES
from tests.verification import own

keras: Any = live_keras()

from keras.src.legacy.saving import legacy_h5_format  # noqa: E402

from tests.conversion import own_classes  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

Run = Callable[..., Outcome]

OLD = FIXTURES / "own_classes"
RECORDED = json.loads((OLD / "predicted.json").read_text())
INPUTS = np.asarray(RECORDED["inputs"], "float32")
BUILD = "tests.conversion.own_classes:build"
SOURCES = ("s.weights.h5", "s.weights.json", "s.h5", "s.keras")
TARGETS = ("t.weights.h5", "t.weights.json", "t.h5", "t.keras")


@pytest.fixture(scope="module", autouse=True)
def functions_are_called_once() -> Iterator[None]:
    """Starts one process for what several tests ask of one function."""
    with asked_once():
        yield


@pytest.fixture(scope="module")
def live() -> Architecture:
    """The model of the fixtures, as its function tells it from another process."""
    return architecture_of_function(BUILD)


def filled(model: Any) -> Any:
    """The model with numbers in its weights of which no two are the same."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 0.9, weight.shape))
    return model


def step(model: Any) -> None:
    """Trains a model by one step, of which no graph is traced: that takes longer than to run it."""
    model.run_eagerly = True
    model.train_on_batch(INPUTS, np.ones((2, 2), "float32"))
    model.run_eagerly = False


def saved(model: Any, path: Path) -> Path:
    """The model in the layout that the name asks for, by Keras itself."""
    if path.name.endswith(".weights.json"):
        model.save_weights(path, max_shard_size=200 / 2**30)
    elif path.name.endswith(".weights.h5"):
        model.save_weights(path)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
    else:
        model.save(path)
    return path


def values(model: Any) -> list[Any]:
    """The values of a model's weights."""
    return [np.asarray(weight) for weight in model.weights]


def same(arrays: list[Any], wanted: list[Any]) -> bool:
    """Whether all arrays are bit for bit the same."""
    return all(np.array_equal(one, other) for one, other in zip(arrays, wanted, strict=True))


# What Keras 2.15 wrote.


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "legacy_weights.h5", "paths.weights.h5", "trained.h5"])
def test_own_layers_of_keras_2(name: str, live: Architecture, tmp_path: Path) -> None:
    """Keras 3 predicts what Keras 2.15 did, though its names of layers are others; what the model was compiled with and
    the state of its optimizer go along, so that the next step is the same too."""
    result = convert(OLD / name, tmp_path / "new.keras", arch=live)
    assert [need.where for need in result.needs] == ["Block"]
    assert "tests.conversion.own_classes.Block" in result.needs[0].what
    model = keras.models.load_model(tmp_path / "new.keras", custom_objects={"Block": own_classes.Block})
    trained = name == "trained.h5"
    np.testing.assert_allclose(model(INPUTS), RECORDED["trained" if trained else "output"], rtol=1e-6)
    assert (model.compiled, result.losses) == (trained, ())
    if trained:
        step(model)
        np.testing.assert_allclose(model(INPUTS), RECORDED["one_step_more"], rtol=1e-5)  # a new state: 9e-5 off


@pytest.mark.parametrize("name", ["model.h5", "legacy_weights.h5"])
def test_what_rests_on_an_order_is_a_guess(name: str, live: Architecture) -> None:
    """The plan says which layers and which weights nothing but an order told; a path is no guess."""
    result = plan(OLD / name, "new.keras", arch=live)
    assert [guess.where for guess in result.guesses] == ["layers", "own classes"]
    assert "block of block_1, " in result.guesses[0].what
    assert result.guesses[1].what.endswith(": block, block_1")
    assert [applied.detail for applied in result.edits if applied.edit.name == "place-in-live-model"] == [
        "38 by order of layers"
    ]
    by_path = plan(OLD / "paths.weights.h5", "new.keras", arch=live)
    assert by_path.guesses == ()
    assert [applied.detail for applied in by_path.edits if applied.edit.name == "place-in-live-model"] == ["38 by path"]


def test_without_the_live_model_it_is_refused() -> None:
    """And what to do is said."""
    result = plan(OLD / "model.h5", "new.keras")
    assert result.refusals
    assert all("--arch package.module:function" in refusal.what for refusal in result.refusals)


@pytest.mark.parametrize("name", ["keras0.3/cnn", "keras0.3/mlp", "keras1.2/cnn"])
def test_weights_of_keras_0_and_1(name: str, tmp_path: Path) -> None:
    """Gates, axes and the kernels of Theano come out as with the old architecture."""
    source = next(FIXTURES.glob(f"{name}_weights.*"))
    convert(source, tmp_path / "by_config.keras", arch=FIXTURES / f"{name}.json")
    by_config = keras.models.load_model(tmp_path / "by_config.keras")
    convert(source, tmp_path / "by_model.keras", arch=Architecture.from_model(_of_channels_first(by_config)))
    by_model = keras.models.load_model(tmp_path / "by_model.keras")
    for weight, expected in zip(by_model.get_weights(), by_config.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def _of_channels_first(model: Any) -> Any:
    """A Sequential model whose convolutions take the channels in front, as those of the old architecture, instead of
    between two Permutes in a model of their own."""
    layers = []
    for layer in model.layers:
        inner = [each for each in getattr(layer, "layers", ()) if each.weights]
        changes = {"data_format": "channels_first", "name": layer.name} if inner else {}
        plain = inner[0] if inner else layer
        layers.append(type(plain).from_config({**plain.get_config(), **changes}))
    return keras.Sequential([keras.Input(model.input_shape[1:]), *layers])


def test_the_slope_of_hard_sigmoid_goes_into_the_weights(tmp_path: Path) -> None:
    """With a live model as with a config, so that both predict what the old one did; weights of Keras 3 stay."""
    source = FIXTURES / "keras0.3" / "lstm_weights.hdf5"
    convert(source, tmp_path / "old.keras", arch=FIXTURES / "keras0.3/lstm.json")
    model = Architecture.from_model(keras.models.load_model(tmp_path / "old.keras"))
    result = convert(source, tmp_path / "new.keras", arch=model)
    assert any(edit.edit.name == "scale-hard-sigmoid" for edit in result.edits)
    assert not ckpttool.diff(tmp_path / "old.keras", tmp_path / "new.keras").differences
    result = convert(tmp_path / "old.keras", tmp_path / "new.weights.h5", arch=model)
    assert not (result.transforms or result.guesses)
    result = plan(tmp_path / "new.weights.h5", "again.keras", arch=model)
    assert not (result.transforms or result.guesses)


def test_where_hard_sigmoid_is(tmp_path: Path) -> None:
    """In Bidirectional, TimeDistributed and nested models; an Activation alone has no weights that take the factor."""
    layers = keras.layers
    gru = layers.GRU(2, recurrent_activation="hard_sigmoid", reset_after=False, name="g")
    step = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="hard_sigmoid", name="d")], name="s")
    stack = [keras.Input((5, 4)), layers.TimeDistributed(step, name="t"), layers.Bidirectional(gru, name="b")]
    model = filled(keras.Sequential(stack))
    old = saved(model, tmp_path / "old.h5")
    with h5py.File(old, "r+") as file:
        file.attrs["keras_version"] = "2.2.4"
    result = convert(old, tmp_path / "new.keras", arch=Architecture.from_model(model))
    new = keras.models.load_model(tmp_path / "new.keras")
    assert len(result.transforms) == 8
    gates = np.asarray([1.2, 1.2, 1.2, 1.2, 1, 1], "float32")
    for one, other in zip(values(new), values(model), strict=True):
        np.testing.assert_allclose(one, other * (gates if other.shape[-1] == 6 else 1.2), rtol=1e-6)
    alone = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Activation("hard_sigmoid", name="a")])
    old = saved(alone, tmp_path / "alone.h5")
    with h5py.File(old, "r+") as file:
        file.attrs["keras_version"] = "2.2.4"
    assert [one.where for one in plan(old, "new.keras", arch=Architecture.from_model(alone)).refusals] == ["a"]


@pytest.mark.parametrize(("gates", "version", "guessed"), [
    ("sigmoid", "2.2.4", True), ("hard_sigmoid", "2.2.4", False), ("sigmoid", "2.3.1", False),
])  # fmt: skip
def test_gates_that_were_hard_by_default(gates: str, version: str, guessed: bool, tmp_path: Path) -> None:
    """Weights alone do not tell the function: that a model has sigmoid where an older Keras had another is said."""
    source = tmp_path / "old_weights.h5"
    shutil.copy(FIXTURES / "keras2.2/recurrent_weights.h5", source)
    with h5py.File(source, "r+") as file:
        file.attrs["keras_version"] = version
    layers, hard = keras.layers, {"recurrent_activation": gates}
    stack = [
        keras.Input((9, 2)),
        layers.Conv1D(3, 3, name="conv1d_1"),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True, **hard), name="bi"),
        layers.BatchNormalization(name="batch_normalization_1"),
        layers.GRU(2, reset_after=False, name="gru_1", **hard),
        layers.Dense(1, name="dense_1"),
    ]
    result = plan(source, "new.keras", arch=Architecture.from_model(keras.Sequential(stack)))
    guessed_layers = [guess.where for guess in result.guesses if "hard_sigmoid by default" in guess.what]
    assert [where.split(", ")[-1] for where in guessed_layers] == ["gru_1"] * guessed


# What Keras 3.15 writes, in every layout.


@pytest.fixture(params=[(name, own.VARIANTS[name][0]) for name in own.VARIANTS if name != "odd-loader"], ids=str)
def model(request: pytest.FixtureRequest) -> Any:
    """A model of own classes with its weights filled."""
    return filled(own.build(keras, *request.param))


def test_every_layout_into_every_form(model: Any, tmp_path: Path) -> None:
    """Keras loads each into the live model: every weight is bit for bit what it was saved from."""
    wanted, architecture = values(model), Architecture.from_model(model)
    for name in SOURCES:
        source = saved(model, tmp_path / name)
        for target in TARGETS:
            convert(source, tmp_path / target, arch=architecture, force=True)
            for weight in model.weights:
                weight.assign(np.zeros(weight.shape))
            model.load_weights(tmp_path / target)
            assert same(values(model), wanted), (name, target)


@pytest.mark.parametrize("name", SOURCES)
def test_the_whole_model(name: str, tmp_path: Path) -> None:
    """Keras makes the model of what was written, which predicts what the live one did, compiled as that is; its config
    is what Keras itself saves, and so are its groups."""
    live = filled(own_classes.compiled())
    step(live)
    wanted = np.asarray(live(INPUTS))
    live.save(tmp_path / "keras.keras")
    architecture = Architecture.from_model(live)
    result = convert(saved(live, tmp_path / name), tmp_path / "t.keras", arch=architecture)
    model = keras.models.load_model(tmp_path / "t.keras", custom_objects={"Block": own_classes.Block})
    np.testing.assert_array_equal(model(INPUTS), wanted)
    assert model.compiled
    keeps_optimizer = name != "s.h5"
    assert int(model.optimizer.iterations) == keeps_optimizer
    assert not result.losses  # a file of weights alone has no state that could be
    assert any(applied.edit.name == "begin-optimizer" for applied in result.edits) != keeps_optimizer
    with ckpttool.open(tmp_path / "t.keras") as new, ckpttool.open(tmp_path / "keras.keras") as saved_by_keras:
        assert _plain(new.config) == _plain(saved_by_keras.config)
        assert (
            new.keys() == saved_by_keras.keys() - {path for path in saved_by_keras if path.startswith("metrics/")}
            or not keeps_optimizer
        )


def _plain(config: Any) -> Any:
    """A config with the addresses by which Keras tells shared objects as numbers, from 0 on."""
    numbers: dict[int, int] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            shared = {
                key: numbers.setdefault(value[key], len(numbers)) for key in ("shared_object_id",) if key in value
            }
            return {key: plain(item) for key, item in value.items()} | shared
        return [plain(item) for item in value] if isinstance(value, list) else value

    return plain(config)


def test_compile_settings(tmp_path: Path) -> None:
    """Compile settings of the file count, else those of the live model; an optimizer with other variables begins anew,
    which is told as lost."""
    live = own_classes.compiled()
    step(live)
    live.save_weights(tmp_path / "s.weights.h5")
    other = own_classes.build()
    other.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mae")
    architecture = Architecture.from_model(other)
    result = convert(tmp_path / "s.weights.h5", tmp_path / "a.keras", arch=architecture)
    assert [one.detail for one in result.edits if one.edit.name == "live-compile-settings"] == ["SGD"]
    assert [loss.where for loss in result.losses] == ["optimizer"]
    result = convert(OLD / "trained.h5", tmp_path / "b.keras", arch=architecture)
    assert not any(one.edit.name == "live-compile-settings" for one in result.edits)
    model = keras.models.load_model(tmp_path / "b.keras", custom_objects={"Block": own_classes.Block})
    assert type(model.optimizer).__name__ == "Adam"
    convert(tmp_path / "s.weights.h5", tmp_path / "c.keras", arch=architecture, options=Options(compiled=False))
    with ckpttool.open(tmp_path / "c.keras") as checkpoint:
        assert "compile_config" not in checkpoint.config


def test_the_state_of_an_optimizer_of_an_own_class(tmp_path: Path) -> None:
    """Is taken where it is just what the live model has, into weights alone too; nothing but that model tells it."""

    class Mine(keras.optimizers.SGD):  # type: ignore[misc, unused-ignore]
        pass

    live = own_classes.build()
    live.compile(Mine(0.1, momentum=0.9), "mse")
    step(live)
    live.save_weights(tmp_path / "s.weights.h5")
    architecture, state = Architecture.from_model(live), {"optimizer/vars/0", "optimizer/vars/2"}
    for target in ("t.weights.h5", "t.keras"):
        result = convert(tmp_path / "s.weights.h5", tmp_path / target, arch=architecture)
        assert (result.losses, [guess.where for guess in result.guesses]) == ((), ["optimizer"])
        with ckpttool.open(tmp_path / target) as checkpoint:
            assert state <= checkpoint.keys()
    assert {need.where for need in result.needs} == {"Block", "Mine"}
    result = convert(
        tmp_path / "s.weights.h5", tmp_path / "u.weights.h5", arch=Architecture.from_model(own_classes.build())
    )
    assert [loss.where for loss in result.losses] == ["optimizer"]


def test_layers_that_load_in_a_way_of_their_own(tmp_path: Path) -> None:
    """Values of such layers stay where they are among paths; to another layout the layers alone could bring them."""
    model = filled(own.build(keras, "odd-loader", "same"))
    wanted, architecture = values(model), Architecture.from_model(model)
    for name in ("s.weights.h5", "s.keras"):
        convert(saved(model, tmp_path / name), tmp_path / "t.weights.h5", arch=architecture, force=True)
        for weight in model.weights:
            weight.assign(np.zeros(weight.shape))
        model.load_weights(tmp_path / "t.weights.h5")
        assert same(values(model), wanted)
        assert "way of its own" in plan(tmp_path / name, "t.h5", arch=architecture).refusals[0].what
    assert "way of its own" in plan(saved(model, tmp_path / "s.h5"), "t.keras", arch=architecture).refusals[0].what
    convert(tmp_path / "s.h5", tmp_path / "t.h5", arch=architecture)


def test_what_layers_wrote_under_names_of_their_own(tmp_path: Path) -> None:
    """Is copied from one form to another without the live model, too."""
    model = filled(own.build(keras, "odd-loader", "same"))
    wanted = values(model)
    for name, target in (("s.keras", "t.weights.h5"), ("s.weights.h5", "t.weights.json")):
        convert(saved(model, tmp_path / name), tmp_path / target)
        for weight in model.weights:
            weight.assign(np.zeros(weight.shape))
        model.load_weights(tmp_path / target)
        assert same(values(model), wanted)


def pair(first: str, second: str) -> Any:
    """A model of an own layer that holds two of one shape, made in this order."""

    class Pair(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__(name="pair")
            self.a, self.b = keras.layers.Dense(3, name=first), keras.layers.Dense(3, name=second)

        def build(self, shape: Any) -> None:
            self.a.build(shape)
            self.b.build(shape)

        def call(self, x: Any) -> Any:
            return self.a(x) - self.b(x)

    keras.backend.clear_session()
    return filled(keras.Sequential([keras.Input((3,)), Pair()], name="top"))


def test_names_that_gainsay_an_order(tmp_path: Path) -> None:
    """Weights that would go crosswise by the names that the user gave are refused, by order and by path; names that
    agree are no guess, and two of one name are told apart by their paths."""
    straight, crossed = pair("left", "right"), Architecture.from_model(pair("right", "left"))
    for name in ("s.h5", "s.weights.h5"):
        result = plan(saved(straight, tmp_path / name), "t.keras", arch=crossed)
        assert {refusal.where.rpartition("/")[0] for refusal in result.refusals} >= {"pair/left", "pair/right"}
    assert plan(tmp_path / "s.h5", "t.keras", arch=Architecture.from_model(straight)).guesses == ()
    twins = pair("one", "one")
    wanted = values(twins)
    for target in ("t.weights.h5", "t.h5"):
        convert(saved(twins, tmp_path / "twins.weights.h5"), tmp_path / target, arch=Architecture.from_model(twins))
        for weight in twins.weights:
            weight.assign(np.zeros(weight.shape))
        twins.load_weights(tmp_path / target)
        assert same(values(twins), wanted)
        for weight, value in zip(twins.weights, wanted, strict=True):
            weight.assign(value)


def test_the_state_of_twins_is_lost(tmp_path: Path) -> None:
    """The state is lost where two weights have one name: nothing says which of its arrays belongs to which."""
    model = pair("one", "one")
    model.compile("adam", "mse")
    model.fit(INPUTS, np.ones((2, 3), "float32"), verbose=0)
    architecture = Architecture.from_model(pair("one", "one"))
    result = convert(saved(model, tmp_path / "s.keras"), tmp_path / "t.keras", arch=architecture)
    assert [(loss.where, "the same name" in loss.what) for loss in result.losses] == [("optimizer", True)]


def test_weights_of_another_model(live: Architecture, tmp_path: Path) -> None:
    """Are refused, all that lack and all that are left."""
    for name in ("keras3/mlp.weights.h5", "keras3/mlp.h5"):
        with pytest.raises(ConversionError) as caught:
            convert(FIXTURES / name, tmp_path / "new.keras", arch=live)
        messages = [refusal.what for refusal in caught.value.refusals]
        assert any("no weight for" in reason for reason in messages)
        assert any("for which the model has no slot" in reason for reason in messages)


def test_a_model_without_a_config(tmp_path: Path) -> None:
    """Its weights go into every form without one; what holds one is refused, with the reason made safe to show."""
    model = filled(own_classes.mute())
    wanted, architecture = values(model), Architecture.from_model(model)
    source = saved(model, tmp_path / "s.weights.h5")
    for target in TARGETS[:3]:
        convert(source, tmp_path / target, arch=architecture)
        for weight in model.weights:
            weight.assign(np.zeros(weight.shape))
        model.load_weights(tmp_path / target)
        assert same(values(model), wanted)
    with pytest.raises(ConversionError) as caught:
        convert(source, tmp_path / "t.keras", arch=architecture)
    assert "its config cannot be written down: NotImplementedError: not \\x1b[31mtoday; give its classes" in str(
        caught.value
    )
    assert not (tmp_path / "t.keras").exists()


def lookup(vocabulary: Any = None) -> Any:
    """A model of words; they are learned from some where none are given, as a file then tells and no config."""
    text = keras.layers.TextVectorization(output_sequence_length=3, vocabulary=vocabulary)
    if vocabulary is None:
        text.adapt(["old keras models live again"])
    inputs = keras.Input((), dtype="string")
    return filled(keras.Model(inputs, keras.layers.Embedding(8, 2)(text(inputs))))


def test_a_vocabulary_that_only_the_live_model_has(tmp_path: Path) -> None:
    """A layer that keeps its words in a file is refused where the source has none, and not left without."""
    model = lookup()
    live, weights = Architecture.from_model(model), saved(model, tmp_path / "s.weights.h5")
    with pytest.raises(ConversionError, match="has a vocabulary"):
        convert(weights, tmp_path / "t.keras", arch=live)
    convert(weights, tmp_path / "t.weights.h5", arch=live)
    convert(saved(model, tmp_path / "s.keras"), tmp_path / "t.keras", arch=live)
    layer = lookup(["old", "models"])
    weights = saved(layer, tmp_path / "given.weights.h5")
    convert(weights, tmp_path / "given.keras", arch=Architecture.from_model(layer))
    for path, source in (("t.keras", model), ("given.keras", layer)):
        new_model = keras.models.load_model(tmp_path / path)
        assert np.array_equal(new_model(np.array(["models old odd"])), source(np.array(["models old odd"])))


def test_code_is_not_written(tmp_path: Path) -> None:
    """A lambda in the live model is refused where a config is written; options about configs of files are too."""
    layers = [keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2, name="twice"), keras.layers.Dense(2, name="last")]
    model = keras.Sequential(layers)
    architecture, source = Architecture.from_model(model), saved(model, tmp_path / "s.weights.h5")
    refusals = plan(source, "t.keras", arch=architecture).refusals
    assert [(refusal.where, "as code" in refusal.what) for refusal in refusals] == [("twice", True)]
    assert plan(source, "t.h5", arch=architecture).refusals == ()
    for options in (Options(keep_weights=True), Options(functions={"twice": "a:b"})):
        with pytest.raises(ConversionError, match="--replace and --keep-weights"):
            plan(source, "t.h5", arch=architecture, options=options)


# The command line.


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command started where the module of the function is found."""
    monkeypatch.chdir(FIXTURES.parent)


@pytest.mark.usefixtures("here")
def test_plan_as_json(run: Run) -> None:
    """A dry run builds the model in a process of its own, says so, and tells edits, guesses and needs."""
    done = run("convert", OLD / "legacy_weights.h5", "new.keras", "--arch", BUILD, "--dry-run", "--output", "json")
    assert done.err == f"note: running {BUILD} in a process of its own\n"
    data = json.loads(done.out)
    assert (done.code, data["weights"], data["refusals"]) == (0, {"copied": 38, "changed": 0}, [])
    assert {edit["edit"] for edit in data["edits"]} == {"live-model", "place-in-live-model"}
    assert [need["where"] for need in data["needs"]] == ["Block"]


@pytest.mark.usefixtures("here")
def test_proof_by_running(tmp_path: Path, run: Run) -> None:
    """The process that proves the new model knows the classes of the function's module."""
    done = run("convert", OLD / "model.h5", tmp_path / "new.keras", "--arch", BUILD, "--prove", "--output", "json")
    data = json.loads(done.out)
    assert (done.code, data["prediction"]["outputs"], data["prediction"]["finite"]) == (0, [[2, 2]], True)
