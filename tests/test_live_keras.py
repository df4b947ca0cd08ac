"""Live Keras against ckpttool: random models, saved in every format, read back weight by weight.

Runs only where Keras is installed, in which case Keras is imported within the tests and nowhere else.
"""

import hashlib
import importlib.util
import math
import os
import random
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ckpttool
from ckpttool.arrays.statistics import measure
from ckpttool.checkpoint import Section, Weight
from ckpttool.inspection.info import describe
from ckpttool.inspection.listing import Listing, list_checkpoint
from ckpttool.model.class_names import snake_case
from tests.model.test_config import SNAKES

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed"),
    pytest.mark.filterwarnings("ignore"),
]

SEEDS = range(56)
POLICIES = ("float32", "float32", "mixed_float16", "bfloat16", "float64", "float16")


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    """Live Keras 3."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    if keras.__version__.startswith("2"):
        pytest.skip("needs Keras 3")
    return keras


class Maker:
    """Makes random small models out of one seed."""

    def __init__(self, keras: ModuleType, seed: int) -> None:
        self.keras, self.random = keras, random.Random(seed)
        self.policy = self.random.choice(POLICIES)

    def name(self) -> dict[str, str]:
        """A name of its own for some layers, none for others."""
        self.count = getattr(self, "count", 0) + 1
        return (
            {"name": f"{self.random.choice(['layer', 'a.b', 'x y'])}_{self.count}"}
            if self.random.random() < 0.5
            else {}
        )

    def flat(self) -> Any:
        """A layer from vectors to vectors."""
        layers, width = self.keras.layers, self.random.randint(1, 6)
        makers: list[Callable[[], Any]] = [
            lambda: layers.Dense(width, **self.name()),
            lambda: layers.Dense(width, use_bias=False, trainable=self.random.random() < 0.5, **self.name()),
            lambda: layers.BatchNormalization(**self.name()),
            lambda: layers.LayerNormalization(**self.name()),
            lambda: layers.Dropout(0.5, **self.name()),
            lambda: layers.PReLU(**self.name()),
            lambda: layers.Activation("relu", **self.name()),
            lambda: layers.SpectralNormalization(layers.Dense(width, **self.name()), **self.name()),
        ]
        return self.random.choice(makers)()

    def sequence(self) -> Any:
        """A layer from sequences to sequences."""
        layers, width = self.keras.layers, self.random.randint(1, 4)
        cells = [layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell]
        makers: list[Callable[[], Any]] = [
            lambda: layers.LSTM(width, return_sequences=True, **self.name()),
            lambda: layers.GRU(width, return_sequences=True, reset_after=self.random.random() < 0.5, **self.name()),
            lambda: layers.Bidirectional(layers.LSTM(width, return_sequences=True), **self.name()),
            lambda: layers.TimeDistributed(layers.Dense(width, **self.name()), **self.name()),
            lambda: layers.Conv1D(width, 2, padding="same", **self.name()),
            lambda: layers.SeparableConv1D(width, 2, padding="same", **self.name()),
            lambda: layers.RNN(
                [self.random.choice(cells)(width) for _ in range(2)], return_sequences=True, **self.name()
            ),
            lambda: layers.EinsumDense("abc,cd->abd", (None, width), bias_axes="d", **self.name()),
        ]
        return self.random.choice(makers)()

    def block(self, depth: int) -> Any:
        """A Sequential, perhaps with another inside it."""
        parts = [self.flat() for _ in range(self.random.randint(1, 3))]
        if depth and self.random.random() < 0.5:
            parts.insert(self.random.randrange(len(parts) + 1), self.block(depth - 1))
        return self.keras.Sequential([*parts, self.keras.layers.Dense(3)], **self.name())

    def sequential(self) -> Any:
        """A Sequential of vectors or sequences."""
        if self.random.random() < 0.5:
            parts = [self.flat() for _ in range(self.random.randint(1, 13))]
            return self.keras.Sequential([self.keras.Input((4,)), *parts, self.keras.layers.Dense(2)])
        parts = [self.sequence() for _ in range(self.random.randint(1, 3))]
        last = [self.keras.layers.GlobalAveragePooling1D(), self.keras.layers.Dense(2)]
        return self.keras.Sequential([self.keras.Input((5, 3)), *parts, *last])

    def functional(self) -> Any:
        """A graph with shared and nested parts and two inputs."""
        left, right = self.keras.Input((4,)), self.keras.Input((4,))
        shared, block = self.flat_to(3), self.block(2)
        joined = self.keras.layers.Concatenate()([shared(left), shared(right), block(left)])
        inner = self.keras.Input((9,))
        nested = self.keras.Model(inner, self.flat()(self.flat()(inner)), **self.name())
        return self.keras.Model([left, right], self.keras.layers.Dense(1)(nested(joined)))

    def flat_to(self, width: int) -> Any:
        """A Sequential of one layer whose output has this width."""
        return self.keras.Sequential([self.flat(), self.keras.layers.Dense(width)], **self.name())

    def model(self) -> Any:
        """A built model with random weights, perhaps trained a step."""
        before = self.keras.config.dtype_policy()
        self.keras.config.set_dtype_policy(self.policy)
        try:
            model = self.random.choice([self.sequential, self.functional])()
            if self.random.random() < 0.5:
                model.compile(self.random.choice(["adam", "sgd", "rmsprop"]), "mse")
                model.optimizer.build(model.trainable_variables)
        finally:
            self.keras.config.set_dtype_policy(before)
        for number, variable in enumerate(model.weights):
            if "float" in str(variable.dtype):
                values = [self.random.random() + number for _ in range(math.prod(variable.shape))]
                variable.assign(self.keras.ops.reshape(self.keras.ops.array(values), variable.shape))
        return model


def content(variable: Any) -> tuple[tuple[int, ...], str, str]:
    """Shape, dtype and checksum of a live variable."""
    import numpy as np

    values = np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable)
    return tuple(values.shape), str(values.dtype), hashlib.sha256(values.tobytes()).hexdigest()


def measured(weight: Weight) -> tuple[tuple[int, ...], str, str | None]:
    """Shape, dtype and checksum of a stored weight."""
    return weight.shape, weight.dtype, measure(weight, sha256=True).sha256


def owners(model: Any, chain: str = "") -> dict[str, str]:
    """The layer of each weight of a model by the weight's identity: the chain of names of models down to the layer."""
    rows_by_layer = {}
    for layer in model.layers:
        path = f"{chain}/{layer.name}" if chain else layer.name
        if hasattr(layer, "layers") and hasattr(layer, "get_layer"):
            rows_by_layer.update(owners(layer, path))
        else:
            rows_by_layer.update({str(id(weight)): path for weight in layer.weights})
    return rows_by_layer


def saved_in(model: Any, folder: Path) -> dict[str, Path]:
    """The model in each format."""
    paths = {name: folder / f"model{name}" for name in (".keras", ".weights.h5", ".h5", "_weights.h5")}
    model.save(paths[".keras"])
    model.save_weights(paths[".weights.h5"])
    model.save(paths[".h5"])
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(paths["_weights.h5"], "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    largest = max((math.prod(weight.shape) * 8 for weight in model.weights), default=8)
    model.save_weights(folder / "model.weights.json", max_shard_size=largest / 2**30)  # in GiB
    return {**paths, ".weights.json": folder / "model.weights.json"}


def check_layers(listing: Listing, model: Any, suffix: str) -> None:
    """Each weight is listed under its layer; legacy files know the outermost only."""
    layer_of = owners(model)
    expected: dict[Any, set[str]] = {}
    for weight in model.weights:
        expected.setdefault(content(weight), set()).add(layer_of[str(id(weight))])
    for row in listing.rows:
        if row.weight.section is Section.MODEL:
            owned = expected[measured(row.weight)]
            names = {name.split("/")[0] for name in owned} if is_legacy(suffix) else owned
            assert row.layer in names
            assert not row.inferred


@pytest.mark.parametrize("seed", SEEDS)
def test_random_model(seed: int, keras: ModuleType, tmp_path: Path) -> None:
    """A random model, saved in each format, has in ckpttool the weights, layer names and facts that Keras gives it."""
    keras.utils.clear_session(free_memory=False)
    maker = Maker(keras, seed)
    model = maker.model()
    expected, layers = Counter(map(content, model.weights)), set(owners(model).values())
    spectral = sum(type(layer).__name__ == "SpectralNormalization" for layer in all_layers(model))
    for suffix, path in saved_in(model, tmp_path).items():
        with ckpttool.open(path) as checkpoint:
            listing = list_checkpoint(checkpoint)
            assert any("bfloat16" in note for note in listing.notes) == (
                is_legacy(suffix) and maker.policy == "bfloat16"
            )
            stored = Counter(map(measured, checkpoint.section(Section.MODEL)))
            assert set(stored) == set(expected)
            # SpectralNormalization lists the kernel that it wraps as its own, too; legacy files have it once.
            assert sum((stored - expected).values()) == (0 if is_legacy(suffix) else spectral)
            assert checkpoint.refusals == ()
            assert checkpoint.section(Section.OTHER) == ()
            check_layers(listing, model, suffix)
            if checkpoint.config is not None:
                assert checkpoint.producer.keras_version == keras.__version__
                assert describe(checkpoint).model_class == type(model).__name__
                assert layers <= {layer.path for layer in listing.layers}


def is_legacy(suffix: str) -> bool:
    """Whether a file of this suffix has the legacy layout."""
    return suffix in (".h5", "_weights.h5")


def all_layers(model: Any) -> list[Any]:
    """All layers in a model, those in wrappers included."""
    return list(model._flatten_layers(include_self=False))


def test_seeds_cover_what_they_should(keras: ModuleType) -> None:
    """The random models have of each kind: sequential and functional, each policy, wrappers, compiled and not."""
    makers = [Maker(keras, seed) for seed in SEEDS]
    models = [maker.model() for maker in makers]
    assert {type(model).__name__ for model in models} == {"Sequential", "Functional"}
    assert {maker.policy for maker in makers} == set(POLICIES)
    classes = {type(layer).__name__ for model in models for layer in all_layers(model)}
    assert classes >= {
        "Bidirectional",
        "TimeDistributed",
        "SpectralNormalization",
        "RNN",
        "BatchNormalization",
        "Sequential",
    }
    assert {getattr(model, "optimizer", None) is None for model in models} == {True, False}


def test_subclassed_model(keras: ModuleType, tmp_path: Path) -> None:
    """A subclassed model of layers in attributes, lists and dicts has its weights under its layers' names."""

    class Subclassed(keras.Model):  # type: ignore[misc, name-defined]
        """Layers in every kind of attribute."""

        def __init__(self) -> None:
            super().__init__()
            self.first = keras.layers.Dense(3, name="erste")
            self.rest = [keras.layers.Dense(3, name=f"rest_{n}") for n in range(12)]
            self.table = {"a": keras.layers.Dense(3, name="tabelle"), "b": keras.layers.LSTM(3, name="kette")}

        def call(self, inputs: Any) -> Any:
            """Runs them all."""
            x = self.first(inputs)
            for layer in self.rest:
                x = layer(x)
            return self.table["a"](x) + self.table["b"](x[:, None])

    model = Subclassed()
    model(keras.ops.ones((1, 3)))
    model.save_weights(tmp_path / "model.weights.h5")
    with ckpttool.open(tmp_path / "model.weights.h5") as checkpoint:
        rows = list_checkpoint(checkpoint).rows
        assert Counter(measured(row.weight) for row in rows) == Counter(map(content, model.weights))
        layers = {row.layer.split("/")[-1] for row in rows} | {row.layer.split("/")[0] for row in rows}
        assert {"erste", "tabelle", "kette", *(f"rest_{n}" for n in range(12))} <= layers


@pytest.mark.parametrize("policy", ["int8", "float8"])
def test_quantized(policy: str, keras: ModuleType, tmp_path: Path) -> None:
    """A quantized model has its integer weights and scales."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    model.quantize(policy)
    model.save_weights(tmp_path / "model.weights.h5")
    with ckpttool.open(tmp_path / "model.weights.h5") as checkpoint:
        stored = Counter(map(measured, checkpoint.section(Section.MODEL)))
        assert stored == Counter(map(content, model.weights))


def test_snake_case_is_that_of_keras(keras: ModuleType) -> None:
    """The table of class names in paths is what Keras makes of them."""
    from keras.src.utils import naming

    assert {name: naming.to_snake_case(name) for name in SNAKES if ">" not in name} == {
        name: snake for name, snake in SNAKES.items() if ">" not in name
    }
    classes = [name for name in dir(keras.layers) if isinstance(getattr(keras.layers, name), type)]
    assert len(classes) > 100
    assert [name for name in classes if snake_case(name) != naming.to_snake_case(name)] == []
