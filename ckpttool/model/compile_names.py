"""Names in the compile settings of Keras 0 to 2 that Keras 3 has otherwise: of losses, metrics, arguments of optimizers
(losses.py, metrics.py and optimizers of 1.2.2, 2.2.4 and 2.15; keras/src/mixed_precision of 2.15)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

OLD_MEASURES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("cosine", "cosine_proximity"), "cosine_similarity"),
        "huber_loss": "huber",
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh",
    }
)
"""The functions of losses and metrics that have another name in Keras 3."""

RESOLVED_METRICS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("acc", "accuracy"), "accuracy"),
        **dict.fromkeys(("ce", "crossentropy"), "crossentropy"),
    }
)
"""The names of metrics for which Keras chooses a class by the shape of an output or by its loss."""

OLD_RATE = "lr"
"""The name of `learning_rate` before Keras 2.3."""

SCALING = "LossScaleOptimizer"
_SCALING = frozenset({SCALING, "LossScaleOptimizerV1", "LossScaleOptimizerV3"})  # of TensorFlow 2.4 to 2.15


def scales_losses(class_name: Any) -> bool:
    """Whether an optimizer of this class scales the loss, in any version."""
    return isinstance(class_name, str) and class_name.rpartition(">")[2] in _SCALING


def with_new_rate(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an optimizer with `learning_rate` under its name in Keras 3."""
    return {"learning_rate" if key == OLD_RATE else key: item for key, item in config.items()}
