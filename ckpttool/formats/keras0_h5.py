"""The layout of Keras 0.x weights: root attribute `nb_layers`, groups `layer_<i>` with `nb_params` and `param_<j>`.

(`Sequential.save_weights`, keras/models.py, 0.3.3.)
"""

from ckpttool.checkpoint import Producer, Section
from ckpttool.formats.hdf5.tree import Tree
from ckpttool.formats.hdf5_input import Hdf5Input

GENERATION = "Keras 0.x (nb_layers/layer_i/param_j)"


def matches(tree: Tree) -> bool:
    """Whether an HDF5 file has this layout."""
    return "nb_layers" in tree.groups[""].names()


def read(source: Hdf5Input) -> None:
    """Add the weights of all layers, in order; weightless layers are listed."""
    tree, parts = source.tree, source.parts
    parts.producer = Producer(generation=GENERATION)
    for number in range(_count(tree, "", "nb_layers")):
        layer = f"layer_{number}"
        if layer not in tree.groups:
            parts.refuse("missing", layer, "counted in nb_layers but not stored")
            continue
        parts.layer_names.append(layer)
        for index in range(_count(tree, layer, "nb_params")):
            path = f"{layer}/param_{index}"
            if path in tree.datasets:
                source.add(path, Section.MODEL, layer, f"param_{index}")
            else:
                parts.refuse("missing", path, "counted in nb_params but not stored")
    source.add_rest("stored, but no layer counts it")


def _count(tree: Tree, path: str, attribute: str) -> int:
    value = tree.attribute(path, attribute)
    return value if isinstance(value, int) and value >= 0 else 0
