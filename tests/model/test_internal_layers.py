"""Keras's own layers outside `keras.layers`, found by walking its package, against their rows in the table."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.internal_layers import INTERNAL_LAYERS
from ckpttool.model.layers.table import LAYERS, output_shapes
from ckpttool.model.parts import part_of
from ckpttool.model.slots import in_path_layout
from tests.live import keras

pytestmark = pytest.mark.filterwarnings("ignore")  # importing all of Keras, with what TensorFlow says of NumPy 2

# Layers that no model of layers holds, with the reason.
NO_ROW = {
    "AlphaDropout": "of keras.legacy, which Keras does not find by that module",
    "BaseConv": "abstract",
    "ConvLSTM": "abstract",
    "ConvLSTMCell": "made by ConvLSTM1D, 2D and 3D",
    "Distiller": "a model, which holds two",
    "FeatureSpace": "loads itself in a way of its own",
    "FlaxLayer": "its weights are those of a Flax module",
    "JaxLayer": "its weights are those of a JAX function",
    "RandomHeight": "of keras.legacy",
    "RandomWidth": "of keras.legacy",
    "TFSMLayer": "its weights are in a SavedModel beside it",
    "ThresholdedReLU": "of keras.legacy",
    "TorchModuleWrapper": "its weights are those of a PyTorch module",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "CustomScaleLayer": {"scale": 0.5},
    "LayerScale": {"init_values": 1.0, "projection_dim": 4},
    "StochasticDepth": {"drop_path_rate": 0.5},
    "TFDConcat": {"axis": -1},
    "TFDIdentity": {},
}
LISTED = frozenset({"CustomScaleLayer", "TFDConcat"})


WALK = """
import inspect, json
import keras
from tests.live import modules
found = {}
for module in modules(keras.src):
    layers = (one for one in vars(module).values() if inspect.isclass(one) and issubclass(one, keras.layers.Layer))
    found |= {one.__name__: one.__module__ for one in layers if one.__module__ == module.__name__}
print(json.dumps(found))
"""


def walked() -> dict[str, str]:
    """The layers that Keras's package defines, with their modules; from a process of its own, as importing everything
    leaves traces in Keras's registries."""
    keras()
    done = subprocess.run([sys.executable, "-c", WALK], capture_output=True, text=True, check=True, timeout=300)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_every_layer_of_keras() -> None:
    """Each layer has a row, or is the base of others, or has a reason."""
    modules = walked()
    bases = {
        name for name in modules if name.startswith(("Base", "_")) or name in ("DataLayer", "IndexLookup", "Merge")
    }
    others = {
        name for name, module in modules.items() if name not in LAYERS and name not in bases and name not in NO_ROW
    }
    others = {name for name in others if ".models." not in modules[name] and ".pooling." not in modules[name]}
    assert others == set(INTERNAL_LAYERS)
    assert {name: modules[name] for name in INTERNAL_LAYERS} == {
        name: layer.module for name, layer in INTERNAL_LAYERS.items()
    }


@pytest.mark.parametrize("name", sorted(INTERNAL_LAYERS))
def test_rows(name: str, tmp_path: Path) -> None:
    """Weights and output shapes are those of the live layer, in a model that verifies, converts, loads and predicts."""
    layers = keras().layers
    cls = getattr(importlib.import_module(INTERNAL_LAYERS[name].module), name)
    inputs = [keras().Input((6, 4), name=f"x{at}") for at in range(2 if name in LISTED else 1)]
    layer = cls(name="own", **ARGUMENTS[name])
    outputs = layer(inputs if name in LISTED else inputs[0])
    model = keras().Model(inputs, layers.Dense(2)(outputs))
    entry = keras().layers.serialize(layer)
    part = part_of(name, Args.of(entry))
    assert [slot.shape for _, _, slot in in_path_layout(part)] == [tuple(weight.shape) for weight in layer.weights]
    tensors = [Tensor(tensor.name, 0, 0, (None, 6, 4)) for tensor in inputs]
    call = Call((tensors,) if name in LISTED else tuple(tensors))
    assert output_shapes(Args.of(entry), call, output_shapes) == (tuple(outputs.shape),)  # type: ignore[arg-type]
    arrays = [np.random.default_rng(at).normal(size=(2, 6, 4)).astype("float32") for at in range(len(inputs))]
    expected = model(arrays if len(arrays) > 1 else arrays[0])
    for suffix in (".keras", ".h5"):
        model.save(tmp_path / f"model{suffix}")
        ckpttool.convert(tmp_path / f"model{suffix}", tmp_path / "new.keras", force=True)
        assert ckpttool.verify(tmp_path / "new.keras", tmp_path / "new.keras").ok
        loaded = keras().models.load_model(tmp_path / "new.keras")
        assert np.array_equal(loaded(arrays if len(arrays) > 1 else arrays[0]), expected)


def test_one_of_the_same_name() -> None:
    """A class of the user's own that takes other arguments is not Keras's."""
    own = {"class_name": "LayerScale", "config": {"name": "own", "dim": 4}}
    assert not part_of("LayerScale", Args.of(own)).known
    elsewhere = {"class_name": "LayerScale", "config": ARGUMENTS["LayerScale"], "module": "vit.blocks"}
    assert not part_of("LayerScale", Args.of(elsewhere)).known
