"""The path layout: `.weights.h5` of Keras 2.12 on, alone or as the weights of a `.keras`.

Groups mirror the attributes of the model; the weights of an object are the datasets `0`, `1` ... of its group `vars`,
and since Keras 3.6 the attribute `name` of `vars` is the object's name as the user gave it
(`_save_state`, keras/src/saving/saving_lib.py, 3.15). A group may have both `vars` and children.
"""

import re
from dataclasses import replace

from ckpttool.checkpoint import Section
from ckpttool.formats.builder import Hdf5Input
from ckpttool.formats.hdf5.tree import Tree
from ckpttool.io import scalars

_SECTIONS = {"optimizer": Section.OPTIMIZER, "metrics": Section.METRICS}
_OF_LAYER = "_metrics"
PATH_KINDS = frozenset({"keras-zip", "keras-dir", "weights-h5", "sharded"})
"""The kinds of checkpoints that keep their weights in this layout."""

CONTAINERS = frozenset({"layers", "_layer_checkpoint_dependencies"})

BACKSLASHES = (
    "names hold backslashes, as Keras 2.12 to 2.15 wrote them on Windows: no Keras finds these weights on another "
    "system, nor Keras 3 on any; ckpttool convert writes them anew"
)
_NAMED = frozenset({"idf_weights"})  # of lookups (keras/src/layers/preprocessing/index_lookup.py, 3.15)

Names = dict[tuple[str, ...], str]
"""The stored names of objects, by the parts of their paths."""


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


def split(path: str) -> tuple[str, ...]:
    """The parts of a stored path. Keras on Windows wrote backslashes into names (2.12 to 2.15); they part too."""
    return tuple(path.replace("\\", "/").split("/"))


def keras3_path(path: str) -> str:
    """The path of an object or a weight as Keras 3 would write it."""
    return "/".join(as_keras_3(split(path)))


def as_keras_3(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The path of an object as Keras 3 would write it.

    Keras 2.12 and 2.13 list each layer with weights twice in `_layer_checkpoint_dependencies`, as
    `layer_with_weights-N` and as `layer-N`, and number both: their `dense_2` is the second Dense
    (`Functional._layer_checkpoint_dependencies`, keras/engine/functional.py, 2.12).
    """
    names = list(parts)
    for at, part in enumerate(parts):
        if part == "_layer_checkpoint_dependencies":
            names[at] = "layers"
            stem, _, number = parts[at + 1].rpartition("_") if at + 1 < len(parts) else ("", "", "")
            count = scalars.digits(number)
            if stem and count is not None:
                names[at + 1] = f"{stem}_{count // 2}" if count > 1 else stem
    return tuple(names)


def section_of(parts: tuple[str, ...]) -> Section:
    """The section of a weight, by the first part of its path. The variables of metrics that a layer of Keras 2.12 to
    2.15 added itself (`add_metric`) are state of metrics, too, and so are those of a model in the model, which was
    compiled itself, as the discriminator of a GAN. The variables of the optimizer of such a model are no weights."""
    if _OF_LAYER in parts or _is_of_inner("metrics", parts):
        return Section.METRICS
    if is_of_inner_optimizer(parts):
        return Section.OTHER
    return _SECTIONS.get(parts[0], Section.MODEL)


def is_of_inner_optimizer(parts: tuple[str, ...]) -> bool:
    """Whether a path is that of a variable of the optimizer of a model inside the model."""
    return _is_of_inner("optimizer", parts)


def _is_of_inner(attribute: str, parts: tuple[str, ...]) -> bool:
    """Whether a path leads through an attribute of a model inside the model; a layer may have a class of that name."""
    return any(part == attribute and parts[at] not in CONTAINERS for at, part in enumerate(parts[1:-2]))


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


def named(owner: tuple[str, ...], names: Names) -> tuple[str | None, str]:
    """The layer of an object and the object's place inside that layer, by stored names; None where its own is missing.

    The layer is the member of the innermost container of layers; in a subclassed model, which may have none, it is the
    object itself.
    """
    if owner not in names:
        return None, ""
    end = layer_end(owner)
    return _chain(owner, names, 1, end), _chain(owner, names, end + 1, len(owner))


def layer_end(owner: tuple[str, ...]) -> int:
    """The number of parts of an object's path that make up the path of its layer."""
    containers = [at for at, part in enumerate(owner[:-1]) if part in CONTAINERS]
    return containers[-1] + 2 if containers else len(owner)


def _chain(owner: tuple[str, ...], names: Names, first: int, last: int) -> str:
    return "/".join(names[owner[:end]] for end in range(first, last + 1) if owner[:end] in names)
