"""Steps of training of Embedding layers, whose gradients have only the rows that a batch names.

Keras 2 adds up the gradients of a row that a batch names several times before it squares them or takes their magnitude
(`_resource_apply_sparse_duplicate_indices`, tensorflow/python/keras/optimizer_v2, 2.4; `_deduplicate_sparse_grad`,
keras/src/optimizers/optimizer.py, 2.15); Keras 3.15 on TensorFlow does so with each. Some optimizers of tf.keras up to
2.10 leave rows alone that a batch does not name, which momenta move in Keras 3. Both were measured with 2.4, 2.15 and
3.15.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.conversion.compile.optimizer_scalars import inside
from ckpttool.conversion.compile.stored_state import ITERATION_UNTIL_2_10, WHERE
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model.spec import Spec

_SQUARES = frozenset({"Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Ftrl", "Nadam", "RMSprop"})
_MAGNITUDES = frozenset({"Adamax"})
_LEAVES_ROWS = frozenset({"Adamax", "Ftrl", "Nadam"})
_LEAVES_ROWS_WITH_MOMENTUM = frozenset({"RMSprop", "SGD"})
_NEW_OPTIMIZERS = (2, 11)


def leaves_rows(checkpoint: Checkpoint, origin: Origin) -> bool:
    """Whether an optimizer of tf.keras up to 2.10, or a legacy one since, wrote the checkpoint: by its state, and where
    it has none, as it was not trained, by the version."""
    state = checkpoint.section(Section.OPTIMIZER)
    if state:
        return ITERATION_UNTIL_2_10.match(state[0].path) is not None
    return not origin.of_many_backends and origin.before(*_NEW_OPTIMIZERS)


def note(spec: Spec, optimizer: Mapping[str, Any], by_rows: bool, journal: Journal) -> None:
    """Note that further training of Embedding layers is not the same, also from the first step on. `by_rows` says that
    the optimizer was one of tf.keras up to 2.10."""
    layers = [slot.layer for slot in spec.slots if slot.name == "embeddings" and slot.trainable]
    inner = inside(optimizer)
    class_name = inner["class_name"]
    reasons = []
    if class_name in _SQUARES:
        reasons.append(
            "squares each gradient of a row that a batch names several times, where Keras 2 squared their sum"
        )
    if class_name in _MAGNITUDES:
        reasons.append(
            "takes the magnitude of each gradient of a row that a batch names several times, where Keras 2 took that "
            "of their sum"
        )
    moves = class_name in _LEAVES_ROWS_WITH_MOMENTUM and inner["config"].get("momentum")
    if by_rows and (moves or class_name in _LEAVES_ROWS):
        reasons.append("moves the rows that a batch does not name")
    if layers and reasons:
        text = f"{class_name} of Keras 3 {' and '.join(reasons)}"
        journal.lose(WHERE, f"further training of the Embedding {', '.join(layers[:3])} is not the same: {text}")
