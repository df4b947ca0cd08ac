"""The paths of weights in the layout of `.weights.h5`, whatever contains it: their parts, sections and layers.

(`_save_state`, keras/src/saving/saving_lib.py, 3.15.)
"""

from ckpttool.checkpoint import Section
from ckpttool.io import scalars

_SECTIONS = {"optimizer": Section.OPTIMIZER, "metrics": Section.METRICS}
_OF_LAYER = "_metrics"
CONTAINERS = frozenset({"layers", "_layer_checkpoint_dependencies"})

Names = dict[tuple[str, ...], str]
"""The stored names of objects, by the parts of their paths."""


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


def public(parts: tuple[str, ...]) -> str:
    """A path without the underscores of private attributes."""
    return "/".join(part.lstrip("_") for part in parts)
