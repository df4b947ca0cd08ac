"""The rules of safety and live Keras: what Keras writes of its own is fine, and what it writes of code is found."""

import importlib.util
import inspect
import json
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ckpttool.dangers.allowed_names import Standing, class_standing, function_standing
from tests.checks.safe import codes, findings, with_config
from tests.dangers.live_modelling import PATH, table

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed"),
    pytest.mark.filterwarnings("ignore"),
]

NAMESPACES = ("initializers", "regularizers", "constraints", "losses", "metrics", "optimizers", "activations")


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    """Live Keras 3."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    if not keras.__version__.startswith("3.15."):
        pytest.skip("needs Keras 3.15")
    return keras


def test_the_table_is_that_of_live_keras(keras: ModuleType) -> None:
    """The names that a config may use are those of Keras 3.15; `python -m tests.recorded` renews them."""
    stored = json.loads(PATH.read_text())
    live = table()
    assert stored["functions"] == live["functions"]
    assert stored["classes"] == live["classes"]


def test_what_keras_itself_calls_unsafe_is_not_known(keras: ModuleType) -> None:
    """Nothing on Keras's own list of what a config must not name passes here, however it is named."""
    from keras.src.saving.serialization_lib import NON_MODELING_APIS

    assert len(NON_MODELING_APIS) > 20
    for api in NON_MODELING_APIS:
        module, _, name = api.rpartition(".")
        assert function_standing(module, name) is Standing.UNSAFE, api
        if name != "FeatureSpace":  # a model of its own, which configs describe
            assert class_standing(module, name) is not Standing.KNOWN, api


def objects(keras: ModuleType) -> Iterator[Any]:
    """Everything that needs no arguments in the namespaces of which models are made."""
    for namespace in NAMESPACES:
        for name, member in vars(getattr(keras, namespace)).items():
            if name.startswith("_") or name in ("get", "serialize", "deserialize"):
                continue
            if inspect.isfunction(member):
                yield member
            elif inspect.isclass(member):
                try:
                    yield member()
                except (ImportError, TypeError, ValueError):
                    continue


def test_what_keras_writes_of_its_own_is_fine(keras: ModuleType, tmp_path: Path) -> None:
    """Every initializer, regularizer, constraint, loss, metric, optimizer and activation, as Keras describes it."""
    bases = (
        keras.losses.Loss,
        keras.optimizers.Optimizer,
        keras.initializers.Initializer,
        keras.regularizers.Regularizer,
    )
    wanted = [instance for instance in objects(keras) if type(instance) not in bases]
    written = json.loads(json.dumps([keras.saving.serialize_keras_object(instance) for instance in wanted]))
    assert len(written) > 150
    assert findings(with_config(tmp_path / "m.keras", {"x": written})) == ()


def functional(keras: ModuleType, *through: Callable[[Any], Any]) -> Any:
    """A functional model of some steps."""
    x = inputs = keras.Input((4,))
    for step in through:
        x = step(x)
    return keras.Model(inputs, x)


def test_models_of_keras_are_fine(keras: ModuleType, tmp_path: Path) -> None:
    """Layers, operations, wrappers, nested models and Lambdas of named functions, in every format."""
    layers = keras.layers
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="gelu", kernel_regularizer="l2")])
    model = functional(
        keras,
        inner,
        layers.Lambda(keras.activations.relu),
        lambda x: keras.ops.where(x > 0, keras.ops.exp(x), x * 2)[:, :2],
        layers.Reshape((2, 1)),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
        layers.TimeDistributed(layers.Dense(2)),
        layers.SpectralNormalization(layers.Conv1D(2, 1)),
    )
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10)), "mse", ["mae"])
    for name in ("m.keras", "m.h5", "m.weights.h5"):
        (model.save_weights if "weights" in name else model.save)(tmp_path / name)
        assert findings(tmp_path / name) == (), name


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_lambdas_that_keras_saves(suffix: str, keras: ModuleType, tmp_path: Path) -> None:
    """A lambda as a layer, within a nested model, within a wrapper, as an activation and as a loss."""
    layers = keras.layers
    plain = layers.Dense(4)
    makes = {
        "a layer": lambda: functional(keras, plain, layers.Lambda(lambda x: x * 2)),
        "nested": lambda: functional(keras, keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x + 1)])),
        "wrapped": lambda: functional(
            keras, layers.Reshape((2, 2)), layers.TimeDistributed(layers.Lambda(lambda x: x * 2))
        ),
        "an activation": lambda: functional(keras, layers.Dense(4, activation=lambda x: x * 2)),
    }
    for name, make in makes.items():
        path = tmp_path / f"{name}.{suffix}"
        make().save(path)
        assert codes(path) == {"S101"}, name


def test_vocabularies_that_keras_saves(keras: ModuleType, tmp_path: Path) -> None:
    """Vocabularies that were learnt or given as a list are fine; a path that a config still names is found."""
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("a\nb\n")
    adapted = keras.layers.TextVectorization()
    adapted.adapt(["a b", "b c"])
    for number, layer in enumerate((adapted, keras.layers.StringLookup(vocabulary=["/etc/passwd", "b"]))):
        inputs = keras.Input((1,), dtype="string")
        path = tmp_path / f"{number}.keras"
        keras.Model(inputs, layer(inputs)).save(path)
        assert codes(path) == set()
    config = keras.saving.serialize_keras_object(keras.layers.StringLookup(vocabulary=str(vocabulary)))
    assert config["config"]["vocabulary"] is None  # since 3.12 the words go to the assets
    config["config"]["vocabulary"] = str(vocabulary)
    assert codes(with_config(tmp_path / "p.keras", {"x": config})) == {"S107"}


def test_custom_objects_that_keras_saves(keras: ModuleType, tmp_path: Path) -> None:
    """Registered layers, losses and functions are told as custom objects and nothing else."""

    @keras.saving.register_keras_serializable("mine")
    class Twice(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    @keras.saving.register_keras_serializable("mine")
    def loss(y: Any, z: Any) -> Any:
        return keras.ops.mean(y - z)

    model = functional(keras, Twice(), keras.layers.Dense(1))
    model.compile("adam", loss)
    model.save(tmp_path / "m.keras")
    reported = findings(tmp_path / "m.keras")
    assert {finding.rule.code for finding in reported} == {"S104"}
    assert {finding.detail.rpartition(".")[2].rpartition(">")[2] for finding in reported} == {"Twice", "loss"}


def test_operations_that_keras_names_as_builtins(keras: ModuleType, tmp_path: Path) -> None:
    """A Lambda of keras.ops.abs is written as builtins.abs, which Keras itself does not find again: no alarm."""
    for name in ("abs", "sum", "max", "round", "sqrt"):
        functional(keras, keras.layers.Lambda(getattr(keras.ops, name))).save(tmp_path / f"{name}.keras")
        assert codes(tmp_path / f"{name}.keras") == {"S104"}, name
