"""Classes that Keras has on one backend alone."""

from typing import Any

import pytest

from ckpttool.model.buildability import buildability_of_keras

MODEL = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "s",
        "layers": [{"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 1}}],
    },
    "registered_name": None,
}


def compiled(module: str, name: str) -> dict[str, Any]:
    """A model with an optimizer of that module, as Keras 3.15 writes it on PyTorch."""
    optimizer = {"module": module, "class_name": name, "config": {"learning_rate": 0.5}, "registered_name": name}
    return {**MODEL, "compile_config": {"optimizer": optimizer, "loss": "mse"}}


@pytest.mark.parametrize(
    ("module", "name", "backend"),
    [
        ("keras.src.backend.torch.optimizers.torch_adam", "Adam", "torch"),
        ("keras.src.backend.torch.optimizers.torch_sgd", "SGD", "torch"),
        ("keras.src.backend.torch.optimizers.torch_adam", "Dense", ""),
        ("keras.src.backend.torch.nonsense", "Adam", ""),
    ],
)
def test_optimizers_of_pytorch(module: str, name: str, backend: str) -> None:
    """They are Keras's own where PyTorch is, and only there; what Keras never has, it has nowhere."""
    (obstacle,) = buildability_of_keras(compiled(module, name)).compile_obstacles
    assert obstacle.backend == backend
    assert ("where PyTorch is installed" in obstacle.why) is bool(backend)
