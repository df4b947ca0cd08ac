"""Python's operators on tensors in graphs: an `.h5` of Keras 3 names no module, and `Subtract` may be a layer there."""

import operator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.tensorflow_ops import rewritten
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.verification import verify
from tests.live import keras as live_keras

NODE = {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}, 2.0], "kwargs": {}}
OF_LAYER = {"name": "add", "trainable": True, "dtype": "float32"}
ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
COMPARISONS = ("lt", "le", "gt", "ge", "ne")


@pytest.mark.parametrize(
    ("class_name", "config", "nodes", "is_operation"),
    [
        ("Subtract", {"name": "subtract"}, [NODE], True),
        ("TrueDivide", {"name": "true_divide"}, [NODE], True),
        ("Add", OF_LAYER, [NODE], False),
        ("Mine", {"name": "mine"}, [NODE], False),
        ("Add", {"name": "add"}, [], False),
        ("Add", {"name": "add"}, [[["x", 0, 0, {}]]], False),
    ],
)
def test_what_an_operation_is(class_name: str, config: dict[str, Any], nodes: list[Any], is_operation: bool) -> None:
    """Every layer's config has `trainable`; an operation's has not."""
    entry = {"class_name": class_name, "config": config, "name": config["name"], "inbound_nodes": nodes}
    assert Args.of(entry).operation is is_operation


def test_operators_of_keras_3_in_a_legacy_file(tmp_path: Path) -> None:
    """Operators and their reflected forms, of which Keras itself cannot load the .h5, predict the same afterwards."""
    module: Any = live_keras()
    x = module.Input((3,))
    functions = [getattr(operator, name) for name in ARITHMETIC + COMPARISONS]
    outputs = [
        output for function in functions for output in (function(x, 2.0), function(2.0, x), function(x, x * 0.5))
    ]
    outputs += [-x, abs(x), (x > 1.0) & (x < 1.5), (x > 1.0) | (x < 0.5), (x / 2.0 - x[:, :1]) // 0.25]
    model = module.Model(x, [module.ops.cast(output, "float32") for output in outputs])
    model.save(tmp_path / "old.h5")
    assert verify(tmp_path / "old.h5", tmp_path / "old.h5").verdict == "does not load"
    convert(tmp_path / "old.h5", tmp_path / "new.keras")
    batch = np.random.default_rng(0).uniform(0.3, 2.0, (4, 3)).astype("float32")
    expected = model.predict(batch, verbose=0)
    predicted = module.models.load_model(tmp_path / "new.keras").predict(batch, verbose=0)
    for one, other in zip(predicted, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("name", ["__operators__.eq", "__operators__.ne"])
def test_a_comparison_with_what_the_file_does_not_say(name: str) -> None:
    """TensorFlow 2.4 to 2.15 record `x == y` without `y`, which is said."""
    layer, journal = Args("TFOpLambda", {"name": "tf", "function": name}), Journal()
    assert rewritten(layer, Call((Tensor("x", 0, 0, (None, 3)),)), "tf", journal) is None
    assert "which TensorFlow leaves out" in journal.refusals[0].what
