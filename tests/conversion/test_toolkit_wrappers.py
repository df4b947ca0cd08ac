"""Wrappers of the TensorFlow Model Optimization Toolkit: taken off, with pruned weights multiplied by their masks.

`PruneLowMagnitude.call` multiplies the kernel by its mask before it calls the layer
(tensorflow_model_optimization/python/core/sparsity/keras/pruning_impl.py, 0.8.1), so that this product is what the
wrapped model predicts with.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.conversion import convert, plan
from ckpttool.errors import ConversionError
from tests.conversion.numpy_model import NumpyModel
from tests.conversion.test_anchors import Layer, dense, legacy

X = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
STATE: dict[str, tuple[int, ...]] = {"mask": (3, 2), "threshold": (), "pruning_step": ()}


def inner(class_name: str, **config: Any) -> dict[str, Any]:
    """A layer as a wrapper holds it."""
    return {"class_name": class_name, "config": {"name": "inner", "trainable": True, "dtype": "float32", **config}}


def pruned_dense(**state: tuple[int, ...]) -> Layer:
    """A Dense that the toolkit prunes, with the state of pruning that is stored beside its weights."""
    config = {"layer": inner("Dense", units=2, activation="linear")}
    return "PruneLowMagnitude", config, {"kernel": (3, 2), "bias": (2,), **state}


def arrays_of(path: Path, layer: str) -> dict[str, np.ndarray]:
    """The stored arrays of a layer of an old file by their last names."""
    with h5py.File(path) as file:
        return {name.removesuffix(":0"): item[()] for name, item in file["model_weights"][layer][layer].items()}


def stripped(result: Any) -> list[tuple[str, str]]:
    """The layers whose wrappers were taken off, with the note on each."""
    return [(applied.where, applied.detail) for applied in result.edits if applied.edit.name == "strip-wrapper"]


def test_pruned_kernels_are_multiplied_by_their_masks(tmp_path: Path) -> None:
    """The converted model predicts with kernel times mask, and stores none of the state of pruning."""
    source = legacy(tmp_path / "old.h5", pruned_dense(**STATE), dense(1, 2, activation="linear"), shape=(None, 3))
    result = convert(source, tmp_path / "new.keras")
    first, last = arrays_of(source, "l0"), arrays_of(source, "l1")
    hidden = X @ (first["kernel"] * first["mask"]) + first["bias"]
    outputs = NumpyModel(tmp_path / "new.keras")([X])
    np.testing.assert_allclose(outputs, hidden @ last["kernel"] + last["bias"], rtol=2e-5, atol=1e-6)
    assert stripped(result) == [("l0", "PruneLowMagnitude of Dense")]
    with ckpttool.open(tmp_path / "new.keras") as checkpoint:
        assert [weight.layer for weight in checkpoint.values()] == ["l0", "l0", "l1", "l1"]


def test_a_wrapper_without_a_mask(tmp_path: Path) -> None:
    """A kernel beside which no mask is stored is carried over as it is."""
    source = legacy(tmp_path / "old.h5", pruned_dense(threshold=()), shape=(None, 3))
    convert(source, tmp_path / "new.keras")
    first = arrays_of(source, "l0")
    outputs = NumpyModel(tmp_path / "new.keras")([X])
    np.testing.assert_allclose(outputs, X @ first["kernel"] + first["bias"], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("class_name", ["Embedding", "Conv1D"])
def test_the_weight_that_a_mask_belongs_to(class_name: str, tmp_path: Path) -> None:
    """The mask of an Embedding is that of its table, that of a convolution of its kernel."""
    arguments, weights = {
        "Embedding": ({"input_dim": 5, "output_dim": 2}, {"embeddings": (5, 2)}),
        "Conv1D": ({"filters": 2, "kernel_size": [1], "activation": "linear"}, {"kernel": (1, 3, 2), "bias": (2,)}),
    }[class_name]
    name, size = next(iter(weights.items()))
    layer: Layer = ("PruneLowMagnitude", {"layer": inner(class_name, **arguments)}, {**weights, "mask": size})
    shape = (None, 4) if class_name == "Embedding" else (None, 4, 3)
    source = legacy(tmp_path / "old.h5", layer, shape=shape)
    convert(source, tmp_path / "new.weights.h5")
    old = arrays_of(source, "l0")
    with ckpttool.open(tmp_path / "new.weights.h5") as checkpoint:
        new = next(iter(checkpoint.values()))
        np.testing.assert_array_equal(new.read(), old[name] * old["mask"])


def test_paths_of_the_path_layout(tmp_path: Path) -> None:
    """In `.weights.h5` the wrapper lists the pruned kernel as its own too, in front of the mask; the layer inside moves
    to the path of the wrapper."""
    rng = np.random.default_rng(2)
    kernel, bias, mask = rng.normal(size=(3, 2)), rng.normal(size=2), rng.integers(0, 2, (3, 2))
    arrays = {"layer/vars/0": kernel, "layer/vars/1": bias, "vars/0": kernel, "vars/1": mask, "vars/2": np.float32(0.1)}
    with h5py.File(tmp_path / "old.weights.h5", "w") as file:
        for path, values in arrays.items():
            file[f"layers/prune_low_magnitude/{path}"] = np.asarray(values, "float32")
    entry = {"class_name": "PruneLowMagnitude", "config": {"name": "p", "layer": inner("Dense", units=2)}}
    entry["config"]["batch_input_shape"] = [None, 3]  # type: ignore[index]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [entry]}, "keras_version": "2.15.0"}
    (tmp_path / "old.json").write_text(json.dumps(config))
    result = convert(tmp_path / "old.weights.h5", tmp_path / "new.weights.h5", arch=tmp_path / "old.json")
    assert stripped(result) == [("p", "PruneLowMagnitude of Dense")]
    with ckpttool.open(tmp_path / "new.weights.h5") as checkpoint:
        assert list(checkpoint) == ["layers/dense/vars/0", "layers/dense/vars/1"]
        np.testing.assert_allclose(checkpoint["layers/dense/vars/0"].read(), kernel * mask, rtol=1e-6)
        np.testing.assert_allclose(checkpoint["layers/dense/vars/1"].read(), bias, rtol=1e-6)


def test_an_annotation_computes_nothing(tmp_path: Path) -> None:
    """A QuantizeAnnotate marks its layer for later and is taken off."""
    config = {"layer": inner("Dense", units=2, activation="linear")}
    layer: Layer = ("QuantizeAnnotate", config, {"kernel": (3, 2), "bias": (2,)})
    source = legacy(tmp_path / "old.h5", layer, shape=(None, 3))
    assert stripped(convert(source, tmp_path / "new.keras")) == [("l0", "QuantizeAnnotate of Dense")]
    old = arrays_of(source, "l0")
    outputs = NumpyModel(tmp_path / "new.keras")([X])
    np.testing.assert_allclose(outputs, X @ old["kernel"] + old["bias"], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("class_name", ["QuantizeWrapper", "QuantizeWrapperV2", "ClusterWeights"])
def test_wrappers_that_compute_are_refused(class_name: str, tmp_path: Path) -> None:
    """Layers that compute with quantized or clustered weights are named, with the advice to strip them in Keras 2."""
    layer: Layer = (class_name, {"layer": inner("Dense", units=2)}, {"kernel": (3, 2), "bias": (2,)})
    source = legacy(tmp_path / "old.h5", layer, shape=(None, 3))
    why = f"{class_name} of tensorflow_model_optimization, which is for Keras 2 only: strip it there first"
    assert ("l0", why) in [(refusal.where, refusal.what) for refusal in plan(source, tmp_path / "new.keras").refusals]
    with pytest.raises(ConversionError):
        convert(source, tmp_path / "new.keras")


@pytest.mark.parametrize("value", [None, [], "Dense", {"class_name": "Dense"}, {"config": 3}])
def test_a_wrapper_that_holds_no_layer_is_refused(value: Any, tmp_path: Path) -> None:
    """A wrapper in whose config no layer stands cannot be taken off."""
    source = legacy(tmp_path / "old.h5", ("PruneLowMagnitude", {"layer": value}, {"kernel": (3, 2)}), shape=(None, 3))
    result = plan(source, tmp_path / "new.keras")
    assert stripped(result) == []
    assert any("strip it there" in refusal.what for refusal in result.refusals)


def test_masked_values_in_pieces(tmp_path: Path) -> None:
    """A masked weight of several pieces is the same as in one, and no part of it can be taken out of turn."""
    from ckpttool.conversion.config.toolkit_wrappers import _masked

    source = legacy(tmp_path / "old.h5", pruned_dense(**STATE), shape=(None, 3))
    with ckpttool.open(source) as checkpoint:
        weights = {(weight.name or "").rpartition("/")[2]: weight for weight in checkpoint.values()}
        masked = _masked(weights["kernel:0"], weights["mask:0"])
        assert b"".join(map(bytes, masked.values.pieces(7))) == masked.read().tobytes()  # type: ignore[union-attr]
        assert masked.values.part(0, 4) is None  # type: ignore[union-attr]
