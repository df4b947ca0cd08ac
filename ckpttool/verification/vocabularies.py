"""The vocabularies that a whole model must store for its layers."""

from collections.abc import Iterator

from ckpttool.alignment.vocabularies import FILE
from ckpttool.checkpoint import Checkpoint
from ckpttool.formats.assets import asset_sizes
from ckpttool.formats.weight_paths import keras3_path
from ckpttool.model.spec import Spec


def missing(spec: Spec, checkpoint: Checkpoint) -> Iterator[str]:
    """The problems of layers that look values up and whose vocabulary is missing from a whole model.

    Raises CheckpointError where the assets cannot be listed.
    """
    if not checkpoint.format.is_whole:
        return
    stored = set(map(keras3_path, asset_sizes(checkpoint)))
    layers = {layer for layer, _ in spec.vocabularies}
    for layer, place in spec.vocabularies:
        # The StringLookup inside a TextVectorization has no vocabulary of its own to miss.
        if f"{place}/{FILE}" not in stored and layer.rpartition("/")[0] not in layers:
            where = "which a .h5 never holds" if checkpoint.format.is_legacy else f"assets/{place}/{FILE}"
            yield f"{layer}: its vocabulary is not in the file, {where}; the model that Keras loads cannot be called"
