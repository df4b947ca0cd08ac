"""Activations of Keras 0 to 2 for models that were converted with `--keep-weights`; importing this registers them.

import ckpttool.old_activations
model = keras.models.load_model("new.keras")
"""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="ckpttool")  # type: ignore[untyped-decorator]
def hard_sigmoid(x: Any) -> Any:
    """min(max(0.2x + 0.5, 0), 1), as in Keras 0 to 2; Keras 3 has x / 6 + 0.5 under this name."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)
