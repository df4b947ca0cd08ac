"""Reports from the field: models that were compiled load compiled, with the state of their optimizer."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import Conversion, convert
from tests.corpus import FIELD, needs_field
from tests.live import keras

pytestmark = [needs_field, pytest.mark.filterwarnings("ignore:__array__ implementation")]  # of model.save


def own_classes() -> dict[str, Any]:
    """The classes of the users' own that these models have."""
    layers = keras().layers

    class FixedDropout(layers.Dropout):  # type: ignore[misc]
        pass

    class UpsampleLike(layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            source, target = inputs
            return keras().ops.image.resize(source, target.shape[1:3], interpolation="nearest")

    class PriorProbability(keras().initializers.Initializer):  # type: ignore[misc]
        def __init__(self, probability: float = 0.01) -> None:
            self.probability = probability

        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return keras().ops.zeros(shape, dtype)

        def get_config(self) -> dict[str, Any]:
            return {"probability": self.probability}

    class InstanceNormalization(layers.GroupNormalization):  # type: ignore[misc]
        def __init__(self, groups: int = -1, **options: Any) -> None:
            super().__init__(groups=-1, **options)

    names = {
        "Addons>GroupNormalization": layers.GroupNormalization,
        "Addons>InstanceNormalization": InstanceNormalization,
    }
    own = (FixedDropout, UpsampleLike, PriorProbability, InstanceNormalization)
    return {**names, **{cls.__name__: cls for cls in own}}


def loaded(path: Path) -> Any:
    """The model as Keras loads it compiled, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return keras().models.load_model(path, custom_objects=own_classes())


def trained_on(path: Path, case: Path) -> Any:
    """The converted model, which predicts what its writer did, after a step, saved and loaded again."""
    model, recorded = loaded(path), np.load(case.with_suffix(".npz"))
    model.run_eagerly = True  # a graph of one step takes longer to trace than to run
    np.testing.assert_allclose(model.predict_on_batch(recorded["x0"]), recorded["y0"], rtol=0, atol=1e-5)
    shapes = {tuple(variable.shape) for variable in model.optimizer.variables} - {()}
    assert shapes <= {tuple(variable.shape) for variable in model.trainable_variables}
    if model.loss is None:  # compiled anew, as the result says
        model.compile(optimizer=model.optimizer, loss="mse", run_eagerly=True)
    assert np.isfinite(model.train_on_batch(recorded["x0"], recorded["y0"], return_dict=True)["loss"])
    model.save(path.with_name("again.keras"))
    return loaded(path.with_name("again.keras"))


def lost(result: Conversion) -> list[str]:
    """The losses that the conversion names."""
    return [f"{loss.where}: {loss.what}" for loss in result.losses]


@pytest.mark.parametrize("name", ["c05_bidir_inner_shape", "c10_efficientnet", "c07_retinanet"])
def test_layers_of_unknown_shape(name: str, tmp_path: Path) -> None:
    """The optimizer's variables have the shapes of the weights, also where no config states them."""
    convert(FIELD / f"{name}.h5", tmp_path / "new.keras")
    if name == "c07_retinanet":  # with several outputs: that it loads compiled is what failed
        model = loaded(tmp_path / "new.keras")
        assert len(model.optimizer.variables) == 2 + 2 * len(model.trainable_variables)
        return
    trained_on(tmp_path / "new.keras", FIELD / name)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", ["c50_deferred_k215", "c29_names_k215"])
def test_an_optimizer_given_by_name(name: str, suffix: str, tmp_path: Path) -> None:
    """Its state is carried: the file was saved after one step of `fit`."""
    result = convert(FIELD / f"{name}{suffix}", tmp_path / "new.keras")
    assert lost(result) == []
    model = loaded(tmp_path / "new.keras")
    assert (int(model.optimizer.iterations), float(model.optimizer.learning_rate)) == (1, np.float32(0.001))
    assert any(np.any(array != 0) for array in map(np.asarray, model.optimizer.variables[2:]))
    assert int(trained_on(tmp_path / "new.keras", FIELD / name).optimizer.iterations) == 2


def test_a_loss_that_the_model_added_itself(tmp_path: Path) -> None:
    """It is lost, which is said; the optimizer and its state are there, and take a first step of a size of its own."""
    loss, steps = lost(convert(FIELD / "c57_addloss_k2.h5", tmp_path / "new.keras"))
    assert loss.startswith("compile: the loss: the file stores none")
    assert steps.startswith("optimizer: the first steps of Adam")
    model = loaded(tmp_path / "new.keras")
    assert model.loss is None
    assert int(model.optimizer.iterations) == 1
    trained_on(tmp_path / "new.keras", FIELD / "c57_addloss_k2")


def test_an_optimizer_of_tensorflow_addons(tmp_path: Path) -> None:
    """AdamW with its state, whose weight decay Keras 3 multiplies by the learning rate; the loss is lost."""
    [loss] = lost(convert(FIELD / "c12b_tfa_norms_only.h5", tmp_path / "new.keras"))
    assert "SigmoidFocalCrossEntropy" in loss
    optimizer = loaded(tmp_path / "new.keras").optimizer
    assert optimizer.weight_decay == pytest.approx(1e-4 / 1e-3, rel=1e-6)
    assert int(optimizer.iterations) == 1
    trained_on(tmp_path / "new.keras", FIELD / "c12b_tfa_norms_only")
