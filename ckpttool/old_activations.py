"""Activations of Keras 0 to 2 for models that were converted with `--keep-weights`; importing this registers them.

import ckpttool.old_activations
model = keras.models.load_model("new.keras")
"""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="ckpttool", name="hard_sigmoid")  # type: ignore[untyped-decorator]
def old_hard_sigmoid(x: Any) -> Any:
    """min(max(0.2x + 0.5, 0), 1), as in Keras 0 to 2; Keras 3 has x / 6 + 0.5 under this name.

    Keras 3 would write a function that is called like one of its own as that one, and Bidirectional reads what it has
    written (`serialize`, keras/src/activations/__init__.py, 3.15).
    """
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


hard_sigmoid = old_hard_sigmoid
