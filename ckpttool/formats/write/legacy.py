"""The legacy layout of Keras 3: HDF5 files of weights by layer.

As Keras 3.15 writes it (`save_weights_to_hdf5_group`, keras/src/legacy/saving/
legacy_h5_format.py), but for bfloat16: Keras stores opaque bytes there, which it then cannot load; here it is a float.
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ckpttool.checkpoint import Weight
from ckpttool.errors import UnsupportedError
from ckpttool.formats.write.block_copy import Progress, copy, silent
from ckpttool.formats.write.hdf5 import layout
from ckpttool.formats.write.messages import Attribute, Attributes, Fixed, coded_text
from ckpttool.io.replacement import replacing

KERAS_VERSION = "3.15.1"  # whose words and layouts are written
MAX_NAMES_BYTES = 64_512  # of one attribute, HDF5_OBJECT_HEADER_LIMIT in Keras
_REFERENCE_BYTES = 16  # what a text of variable length takes in the attribute itself

Named = Mapping[str, Weight]
"""Weights by the names under which a group lists them (`dense/kernel`), in order."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The weights of a model: of its layers by their names, all layers and in order, and of the model itself."""

    layers: Mapping[str, Named]
    own: Named = field(default_factory=dict)
    keras_version: str = KERAS_VERSION
    backend: str = "tensorflow"


@dataclass(slots=True)
class _File:
    """One HDF5 file in the making."""

    weights: dict[str, Weight] = field(default_factory=dict)
    attributes: dict[str, Attributes] = field(default_factory=dict)

    def add_layers(self, model: Layers) -> None:
        """Add the groups of all layers."""
        attributes: dict[str, Attribute] = {
            "backend": model.backend.encode(),
            "keras_version": model.keras_version.encode(),
        }
        self.attributes[""] = attributes | names_attributes("layer_names", list(model.layers))
        for name, weights in model.layers.items():
            self.add_group(name, weights)
        self.add_group("top_level_model_weights", model.own)

    def add_group(self, path: str, weights: Named) -> None:
        """Add a group that lists its weights."""
        if path in self.attributes:
            raise UnsupportedError("two layers of one name", where=path[:200])
        self.attributes[path] = names_attributes("weight_names", list(weights))
        for name, weight in weights.items():
            if self.weights.setdefault(f"{path}/{name}", weight) is not weight:
                raise UnsupportedError("two weights of one name", where=f"{path}/{name}"[:200])


def names_attributes(attribute: str, names: Sequence[str]) -> dict[str, Attribute]:
    """A list of names as an attribute, or cut into numbered ones where one would be too long (as in
    `save_attributes_to_hdf5_group`: as few as will do, of equal lengths, the longer ones first)."""
    coded = [coded_text(name) for name in names]
    width = max(map(len, coded), default=0)
    if width > MAX_NAMES_BYTES:
        raise UnsupportedError("a name too long for an attribute of HDF5", where=max(names, key=len)[:200])
    if len(coded) * max(width, _REFERENCE_BYTES) <= MAX_NAMES_BYTES:
        return {attribute: coded}
    count = -(-len(coded) // (MAX_NAMES_BYTES // max(width, _REFERENCE_BYTES)))
    size, longer = divmod(len(coded), count)
    starts = [number * size + min(number, longer) for number in range(count + 1)]
    parts = enumerate(itertools.pairwise(starts))
    return {f"{attribute}{number}": Fixed(coded[start:stop], width) for number, (start, stop) in parts}


def write_weights(path: str | os.PathLike[str], model: Layers, on_progress: Progress = silent) -> None:
    """Write a legacy `.h5` of weights only."""
    contents = _File()
    contents.add_layers(model)
    with replacing(path) as file:
        copy(layout(contents.weights, contents.attributes).blocks(), file, on_progress)
