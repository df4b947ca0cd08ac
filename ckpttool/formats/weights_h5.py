"""The path layout: `.weights.h5` of Keras 2.12 on, alone or as the weights of a `.keras`.

Groups mirror the attributes of the model; the weights of an object are the datasets `0`, `1` ... of its group `vars`,
and since Keras 3.6 the attribute `name` of `vars` is the object's name as the user gave it
(`_save_state`, keras/src/saving/saving_lib.py, 3.15). A group may have both `vars` and children.
"""

import re
from dataclasses import replace

from ckpttool.checkpoint import Section
from ckpttool.formats.hdf5.tree import Tree
from ckpttool.formats.hdf5_input import Hdf5Input
from ckpttool.formats.weight_paths import Names, named, section_of, split
from ckpttool.io import scalars

BACKSLASHES = (
    "names hold backslashes, as Keras 2.12 to 2.15 wrote them on Windows: no Keras finds these weights on another "
    "system, nor Keras 3 on any; ckpttool convert writes them anew"
)
_NAMED = frozenset({"idf_weights"})  # of lookups (keras/src/layers/preprocessing/index_lookup.py, 3.15)


def matches(tree: Tree) -> bool:
    """Whether an HDF5 file has this layout: a group `vars` anywhere."""
    return any(path == "vars" or path.endswith("/vars") for path in tree.groups)


def has_weights(tree: Tree) -> bool:
    """Whether a file holds weights where this layout has them: numbered, in a group `vars`, which a layer of the legacy
    layout may be called, too."""
    return any(re.search(r"(^|/)vars/[0-9]+$", path) for path in tree.datasets)


def read(source: Hdf5Input, names: Names | None = None) -> None:
    """Add the weights of the file, in natural order; what is no weight goes to section `other`.

    `names` are the stored names of objects; a shard needs those of its siblings too.
    """
    tree = source.tree
    if names is None:
        names = object_names(tree)
    source.parts.object_names = {"/".join(owner): name for owner, name in names.items()}
    if tree.datasets and not source.parts.producer.keras_version:
        source.parts.producer = replace(source.parts.producer, generation=generation(tree, names))
    if any("\\" in path for path in tree.datasets) and BACKSLASHES not in source.parts.notes:
        source.parts.notes.append(BACKSLASHES)
    for path in tree.datasets:
        parts = split(path)
        owner, is_weight = parts[:-2], len(parts) > 1 and parts[-2] == "vars" and _is_key(parts[-1])
        section = section_of(parts) if is_weight else Section.OTHER
        layer, part = named(owner, names) if section is Section.MODEL else (None, "")
        source.add(path, section, layer, part=part)
        if parts[-1] == "vars":
            source.parts.refuse("corrupt", path, "an array where the group of a layer's weights should be")


def _is_key(name: str) -> bool:
    """Whether an array of this name in a group `vars` is a weight: a number, or a name that a layer of Keras writes."""
    return scalars.digits(name) is not None or name in _NAMED


def generation(tree: Tree, names: Names) -> str:
    """The generations of Keras that write files like this one, by the changes of the layout."""
    if any("_layer_checkpoint_dependencies" in path for path in tree.groups):
        return "Keras 2.12 or 2.13"
    return "Keras 3.6 or later" if names else "Keras 2.14 to 3.5"


def object_names(tree: Tree) -> Names:
    """The names of objects that a file stores."""
    names = {}
    for path in tree.groups:
        parts = split(path)
        if parts[-1] == "vars":
            name = tree.text(path, "name")
            if name:
                names[parts[:-1]] = name
    return names
