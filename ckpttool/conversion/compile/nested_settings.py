"""Compile settings of models in the model, such as the discriminator of a GAN, which was trained by itself.

Keras 2.12 and later write them into the entry of the model in a `.keras`, beside those of the whole
(`serialize_keras_object`, keras/src/saving/serialization_lib.py, 2.15); legacy files have those of the whole alone, and
from a SavedModel tf.keras compiles the whole alone, too (`load`, keras/src/saving/legacy/saved_model/load.py, 2.15).
"""

from collections.abc import Mapping

from ckpttool.conversion.config.nested_layers import nested_entries
from ckpttool.conversion.journal import Journal
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import Generation

LOSS = "the compile settings and the optimizer of this nested model: it has to be compiled anew to be trained by itself"


def note(architecture: Architecture, journal: Journal) -> bool:
    """Note the compile settings of models in a model of Keras 2, which a rewritten model does not get. Returns whether
    there are any."""
    if architecture.generation is Generation.KERAS_3:  # whose entries are unchanged
        return False
    entries = nested_entries(architecture.config)
    labels = dict.fromkeys(label for label, entry in entries if isinstance(entry.get("compile_config"), Mapping))
    for label in labels:
        journal.lose(label, LOSS)
    return bool(labels)
