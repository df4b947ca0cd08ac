"""Legacy files that Keras 3 wrote: their configs are in the words of Keras 3 already, and stay as they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from tests.habits import own
from tests.live import keras

LAYERS: dict[str, Callable[[Any], list[Any]]] = {
    "hard_sigmoid": lambda layers: [layers.Dense(3, activation="hard_sigmoid"), layers.Activation("hard_sigmoid")],
    "discretization": lambda layers: [layers.Discretization([0.0, 0.5], output_mode="int"), layers.Rescaling(0.5)],
    "gates": lambda layers: [layers.Reshape((2, 2)), layers.GRU(2, recurrent_activation="hard_sigmoid")],
    "relu": lambda layers: [layers.ReLU(max_value=1.0), layers.LeakyReLU(0.1)],
}


@pytest.mark.filterwarnings("ignore")  # of Keras, which would have one save as .keras
@pytest.mark.parametrize("kind", LAYERS)
def test_predicts_the_same(kind: str, tmp_path: Path) -> None:
    """A model that Keras 3 saved as .h5 predicts the same after conversion: nothing is mended that is right."""
    module = keras()
    model = module.Sequential([module.Input((4,)), *LAYERS[kind](module.layers), module.layers.Dense(2)])
    model.set_weights([np.random.default_rng(at).normal(size=w.shape) for at, w in enumerate(model.get_weights())])
    model.save(tmp_path / "old.h5")
    result = convert(tmp_path / "old.h5", tmp_path / "new.keras")
    loaded = module.models.load_model(tmp_path / "new.keras")
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert (result.edits, result.transforms) == ((), ())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inside", [False, True], ids=["functional", "nested"])
def test_own_objects_are_known_inside_of_own_layers(inside: bool, tmp_path: Path) -> None:
    """A layer's own initializer and an own layer in a nested model load from a .keras of a legacy file of Keras 3."""
    own.use("keras")
    module = keras()
    layers = [own.Scale(), module.layers.Dense(3, bias_initializer=own.small, kernel_regularizer=own.shrink)]
    x = start = module.Input((4,))
    for layer in [module.Sequential([module.Input((4,)), *layers])] if inside else layers:
        x = layer(x)
    model = module.Model(start, x)
    model.save(tmp_path / "old.h5")
    convert(tmp_path / "old.h5", tmp_path / "new.keras")
    loaded = module.models.load_model(tmp_path / "new.keras", custom_objects=own.objects())
    array = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(loaded.predict(array, verbose=0), model.predict(array, verbose=0))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["not_equal", "maximum"])
def test_operations_get_their_module(name: str, tmp_path: Path) -> None:
    """An operation of a graph, which Keras 3 itself does not find for its legacy file, or takes for the layer of the
    same name, is found for the .keras."""
    module = keras()
    start = module.Input((4,))
    tensor = module.ops.cast(getattr(module.ops, name)(start, 0.25), "float32")
    model = module.Model(start, module.layers.Dense(2)(tensor))
    model.save(tmp_path / "old.h5")
    with pytest.raises(ValueError, match=r"Unknown layer|Only input tensors"):
        module.models.load_model(tmp_path / "old.h5")
    convert(tmp_path / "old.h5", tmp_path / "new.keras")
    loaded = module.models.load_model(tmp_path / "new.keras")
    array = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(loaded.predict(array, verbose=0), model.predict(array, verbose=0))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first", ["old.h5", "other.keras"])
def test_the_optimizer_that_saving_as_h5_forgets(first: str, tmp_path: Path) -> None:
    """Keras 3 names no optimizer in the .keras of a model that was saved as .h5 before, and begins with RMSprop."""
    module = keras()
    model = module.Sequential([module.Input((4,)), module.layers.Dense(2)])
    model.compile("adam", "mse")
    model.save(tmp_path / first)
    model.save(tmp_path / "old.keras")
    result = convert(tmp_path / "old.keras", tmp_path / "new.keras")
    loaded = module.models.load_model(tmp_path / "new.keras")
    forgotten = first == "old.h5"
    assert type(loaded.optimizer).__name__ == ("RMSprop" if forgotten else "Adam")
    assert [loss.where for loss in result.losses] == ["optimizer"] * forgotten
