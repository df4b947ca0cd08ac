"""Slots of layers: the weights of each, the objects that own them, and the two orders in which Keras 3 writes them.

Names used here: a *slot* is a place for one weight; a *part* is a layer object with its own slots and the parts inside
it. Orders and paths are those of Keras 3.15 (`Layer.weights` and `Layer.save_own_variables`,
keras/src/layers/layer.py; `_save_state`, keras/src/saving/saving_lib.py; `_legacy_weights`,
keras/src/legacy/saving/legacy_h5_format.py).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from ckpttool.model.class_names import snake_case
from ckpttool.model.sizes import Shape
from ckpttool.paths import path_from


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one weight. `shape` is None where even the number of axes is not known.

    `trainable` is that of a freshly built layer. `frozen` marks a weight that was created trainable but is not trained,
    such as one of a frozen layer or the kernel below LoRA's factors: it stays in its place among the trainable ones.
    `stored` is False for a weight that is not in `.weights.h5`. `borrowed` is the attribute path from the layer to the
    object that owns the weight, where the layer lists a weight of another object as its own; in a live model it may
    begin with `..`. `stored_dtype` is set where the array in the file has another dtype than the weight in memory.
    `key` is the name of the weight in `.weights.h5`, where that is not its number. `listed` is False for state that is
    not among the weights of its layer, and so in no legacy `.h5` of Keras 3. `tracked` is a second name that the weight
    may have in the object graph of a TensorFlow checkpoint: an attribute of Keras 2, or a private one of Keras 3.
    """

    name: str
    shape: Shape | None
    dtype: str = "float32"
    trainable: bool = True
    stored: bool = True
    frozen: bool = False
    borrowed: str = ""
    stored_dtype: str = ""
    key: str = ""
    listed: bool = True
    tracked: str = ""

    @property
    def written_dtype(self) -> str:
        """The dtype of the weight in `.weights.h5`."""
        return self.stored_dtype or self.dtype


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vocabulary of a layer in its config: the number of entries that it lists, None where it lists none, and the
    path or address from which the layer reads them, empty where there is none. `is_padded` says that the layer has
    weights for more entries than there are."""

    entries: int | None = None
    file: str = ""
    is_padded: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A layer object: its own slots in order of creation, and its children, in the order in which Keras tracks them.

    `children` are pairs of the attribute path that `.weights.h5` uses (`cell`, `cells/lstm_cell_1`) and the object.
    Objects that can have no weights, such as the dropout inside an attention layer, are left out. `write_order` names
    the slots in the order of `vars`, for layers that do not write theirs in the order they are tracked. `known` is
    False for a class without a row in the table: its own slots and children are unknown, not absent. `is_model` marks
    models, whose children are layers with names of their own. `listed` is False for objects that are in a config but
    not in its model's `layers`: operations, and the InputLayer of a Sequential.

    The rest is known of live models only. There `known` is False for an object that loads its weights in its own way or
    does not read what it writes, and for an optimizer that is not built. `placed` is False for an object that
    `.weights.h5` stores at another place, as it has several owners, or not at all; its path is then no more than a
    name. `tracked` is False for an object that is neither part of its owner's `weights` nor of a legacy `.h5`.
    `aliases` are further paths, from the model on, where Keras looks for the object when nothing is stored at its
    place. `attributes` are the ways from the object that holds it: the name of an attribute, then numbers and keys of
    members of lists and dicts. `is_optimizer` marks an optimizer, whose slots are its variables. `assets` is True for
    an object that stores files beside its weights in a `.keras`, such as a vocabulary. `vocabulary` is the one in the
    config of a layer that looks values up.
    """

    class_name: str
    name: str
    slots: tuple[Slot, ...] = ()
    children: tuple[tuple[str, "Part"], ...] = ()
    known: bool = True
    trainable: bool = True
    write_order: tuple[str, ...] = ()
    is_model: bool = False
    placed: bool = True
    tracked: bool = True
    aliases: tuple[str, ...] = ()
    attributes: tuple[tuple[str, ...], ...] = ()
    is_optimizer: bool = False
    listed: bool = True
    assets: bool = False
    vocabulary: Vocabulary | None = None

    @property
    def tracks(self) -> tuple[tuple[str, "Part"], ...]:
        """The children whose weights are among its own `weights`."""
        return tuple((at, child) for at, child in self.children if child.tracked)


def in_path_layout(part: Part) -> list[tuple[str, Part, Slot]]:
    """The arrays of a layer in `.weights.h5`: relative path such as `cell/vars/0`, owner, slot. Optimizers are left
    out.

    A weight that two objects list as their own is there twice (SpectralNormalization and the layer that it wraps).
    """
    return [
        ("/".join((*path, "vars", slot.key or str(index))), owner, slot)
        for path, _, owner in _walk(part)
        for index, slot in enumerate(_written(owner))
    ]


def in_weights_order(part: Part) -> list[tuple[tuple[str, ...], Slot]]:
    """The weights of a layer and the objects inside it, in the order of `layer.weights`, each with the names of the
    objects down to it. No weight is listed twice."""
    chains = {"/".join(path): names for path, names, _ in _walk(part)}
    return [(chains[owner], slot) for (owner, _), slot in _owned(part).items()]


def owned_in_legacy_order(part: Part) -> list[tuple[tuple[str, str], Slot]]:
    """The weights in the order of Keras 3's legacy `.h5`, each with the path of its owner below the part and its name.

    A layer that is itself frozen keeps the order of `layer.weights`, whatever its inner layers say
    (`Layer.trainable_weights`).
    """
    weights = list(_owned(part).items())
    return sorted(weights, key=lambda entry: not entry[1].trainable) if part.trainable else weights


def _owned(part: Part) -> dict[tuple[str, str], Slot]:
    """The weights in the order of `layer.weights`, by the path of the owner and the name, each once."""
    weights: dict[tuple[str, str], Slot] = {}
    for path, _, owner in _walk(part, attrgetter("tracks")):
        for slot in filter(attrgetter("listed"), _tracked(owner)):
            weights.setdefault((_owner_of(slot, path), slot.name), slot)
    return weights


def _owner_of(slot: Slot, path: tuple[str, ...]) -> str:
    """The path of the object that owns a weight which the object at `path` lists."""
    if not slot.borrowed:
        return "/".join(path)
    return path_from("/".join(path), slot.borrowed)


_Children = tuple[tuple[str, Part], ...]


def _walk(
    part: Part, children: Callable[[Part], _Children] = attrgetter("children")
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Part]]:
    """The part and all parts inside it, each with its path and the names of objects down to it; the part itself
    first."""
    stack: list[tuple[tuple[str, ...], tuple[str, ...], Part]] = [((), (part.name,), part)]
    while stack:
        path, names, owner = stack.pop()
        yield path, names, owner
        stack.extend(((*path, at), (*names, child.name), child) for at, child in reversed(children(owner)))


def _tracked(part: Part) -> list[Slot]:
    """The own slots as the layer lists them: those that were created trainable, then the others."""
    return sorted(part.slots, key=lambda slot: not (slot.trainable or slot.frozen))


def _written(part: Part) -> list[Slot]:
    """The own slots as the layer writes them into its group `vars`."""
    if not part.placed or part.is_optimizer:
        return []
    stored = [slot for slot in _tracked(part) if slot.stored]
    if part.write_order:
        stored.sort(key=lambda slot: part.write_order.index(slot.name))
    return stored


def members(container: str, parts: Iterable[Part]) -> list[tuple[str, Part]]:
    """The parts in a list of a layer, with their paths: class names, numbered from the second use on
    (`_get_unique_name`, keras/src/saving/saving_lib.py, 3.15). Parts that are not `listed` are numbered last."""
    members, used, paths = list(parts), Counter[str](), dict[int, str]()
    for at, part in sorted(enumerate(members), key=lambda entry: not entry[1].listed):
        name = snake_case(part.class_name)
        paths[at] = f"{container}/{name}_{used[name]}" if used[name] else f"{container}/{name}"
        used[name] += 1
    return [(paths[at], part) for at, part in enumerate(members)]
