"""Models in a model, of which Keras of many backends does not store whether they are frozen.

There, `trainable` of a model is an attribute of that alone, which its layers do not get and its config does not have
(`Network.trainable_weights` and `Network.get_config`, keras/engine/network.py, 2.2.4 and 2.3.1): a generator is saved
with a frozen discriminator, and after loading both are trained. Measured with 2.2.4, where Keras 3 trains the same
weights as the model that 2.2.4 loads, and not those of the model that it saved.
"""

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.config.nested_layers import nested_entries
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.escape import first_of
from ckpttool.model import Architecture
from ckpttool.model.layers.table import MODELS

_SHOWN = 3


def note(architecture: Architecture, origin: Origin, journal: Journal) -> None:
    """Note the models in a compiled model as trained, which they were not if the author had frozen them."""
    if not origin.of_many_backends:
        return
    wrapped = (label for label, entry in nested_entries(architecture.config) if entry["class_name"] in MODELS)
    labels = list(dict.fromkeys([*(layer.path for layer in architecture.layers if layer.is_model), *wrapped]))
    if labels:
        journal.guess(
            WHERE,
            f"models in the model are trained ({first_of(labels, _SHOWN)}): the file does not say whether they were "
            "frozen, and older ones train them after loading, too; if they were, set trainable=False and compile anew",
        )
