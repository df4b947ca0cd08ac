"""Metrics of TensorFlow's Keras 2 that Keras 3 has under the same name, and measures otherwise or cannot measure.

A mean in Keras 2 leaves out the samples of `ignore_class` (`MeanMetricWrapper`, keras/src/metrics/base_metric.py,
2.15); in Keras 3 it does so only with sample weights, and else counts each as 0 (`reduce_to_samplewise_values`,
keras/src/metrics/reduction_metrics.py, 3.15). The metrics of intersection over union sum their result, a vector, along
the axis of the classes of the answers, which raises an error for one that a vector has not; Keras 2 sums all of it.
And with `ignore_class` they want as many labels as answers; Keras 2 takes the first of the answers (`IoU`,
keras/src/metrics/iou_metrics.py, 2.15 and 3.15).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.conversion.compile.optimizers import WHERE, UnknownObject
from ckpttool.conversion.journal import Journal

_UNIONS: Mapping[str, tuple[bool, bool]] = MappingProxyType(
    {
        **dict.fromkeys(("IoU", "MeanIoU"), (True, True)),
        **dict.fromkeys(("OneHotIoU", "OneHotMeanIoU"), (False, False)),
    }
)
"""Metrics of intersection over union, and whether they take labels, and answers, for class numbers by default."""

_AXES = (-1, 0)  # of a vector


def note_difference(metric: Mapping[str, Any], loss: str | None, journal: Journal) -> None:
    """Note a metric that Keras 3 measures otherwise, for a model with this crossentropy of classes, if with any.

    Raises UnknownObject for one with which Keras 3 raises an error as soon as it evaluates.
    """
    name, config = metric["class_name"], metric["config"]
    ignored = config.get("ignore_class")
    if name in _UNIONS:
        axis = config.get("axis", -1)
        if axis not in _AXES:
            raise UnknownObject(f"{name} with axis={str(axis)[:60]}, with which Keras 3 raises an error in evaluate")
        if ignored is not None and _takes_more_answers(name, config, loss):
            subject = f"{name} with ignore_class of answers that are no class numbers"
            raise UnknownObject(f"{subject}, with which Keras 3 raises an error in evaluate")
    elif name == "SparseCategoricalCrossentropy" and ignored is not None:
        subject = f"the metric {name} with ignore_class: without sample weights"
        journal.lose(WHERE, f"{subject}, Keras 3 counts samples of that class as 0, where older ones left them out")


def _takes_more_answers(name: str, config: Mapping[str, Any], loss: str | None) -> bool:
    """Whether a metric takes a label of each sample, and an answer for each of its classes."""
    sparse_labels, sparse_answers = _UNIONS[name]
    has_numbers = loss == "SparseCategoricalCrossentropy" or not config.get("sparse_y_true", sparse_labels)
    return loss is not None and has_numbers and bool(config.get("sparse_y_pred", sparse_answers))
