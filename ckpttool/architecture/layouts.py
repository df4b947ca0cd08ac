"""Where the layouts of Keras keep the slots of a model: each slot with its places."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ckpttool.architecture.args import Args, ConfigError
from ckpttool.architecture.config import Layer
from ckpttool.architecture.slots import Part, Slot, in_path_layout, owned_in_legacy_order
from ckpttool.architecture.table import part_of


@dataclass(frozen=True, slots=True)
class Place:
    """One slot of a model and where it is kept.

    `layer` is the chain of names of nested models down to the layer, `name` the weight inside that layer
    (`forward_lstm/lstm_cell/kernel`). `path` is the place in `.weights.h5`, empty for what that leaves out; `group` and
    `index` are the top layer and the position in its list of weights in Keras 3's legacy `.h5`, None where the weight
    is there under another place already.
    """

    layer: str
    name: str
    slot: Slot
    path: str
    group: str
    index: int | None


def places_of(model: Part) -> Iterator[Place]:
    """The places of all slots of a model, layer after layer, in the order of `.weights.h5`; what that leaves out comes
    behind its layer's others."""
    for at, top in model.children:
        yield from _places_in(at, top)


def _places_in(at: str, top: Part) -> Iterator[Place]:
    listed = owned_in_legacy_order(top)
    legacy = {key: index for index, (key, _) in enumerate(listed)}
    stored = set[tuple[str, str]]()
    owners = dict(_owners(top))
    for relative, _, slot in in_path_layout(top):
        owner = relative.rpartition("/vars/")[0] if "/vars/" in relative else ""
        stored.add((owner, slot.name))
        layer, inside = owners[owner]
        yield Place(
            layer, "/".join((*inside, slot.name)), slot, f"{at}/{relative}", top.name, legacy.get((owner, slot.name))
        )
    for (owner, name), slot in listed:
        if (owner, name) not in stored:
            layer, inside = owners[owner]
            yield Place(layer, "/".join((*inside, name)), slot, "", top.name, legacy[owner, name])


def _owners(top: Part) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    """For each object of a layer, by its path below it: the layer's chain of names and the object's inside it."""
    stack: list[tuple[str, str, tuple[str, ...], Part]] = [("", top.name, (), top)]
    while stack:
        path, layer, inside, part = stack.pop()
        yield path, (layer, inside)
        for below, child in part.children:
            child_path = f"{path}/{below}" if path else below
            if part.is_model and not inside:
                stack.append((child_path, f"{layer}/{child.name}", (), child))
            else:
                stack.append((child_path, layer, (*inside, child.name), child))


def opaque_in(model: Part) -> Iterator[tuple[str, Part, str]]:
    """The objects of unknown classes in a model: chain of names, the object, its path in `.weights.h5`."""
    stack = [(top.name, top, at) for at, top in reversed(model.children)]
    while stack:
        chain, part, path = stack.pop()
        if not part.known:
            yield chain, part, path
        stack.extend((f"{chain}/{child.name}", child, f"{path}/{at}") for at, child in reversed(part.children))


def empty_in(model: Part) -> Iterator[str]:
    """The paths in `.weights.h5` of the objects of a model that have no weights of their own there, the model's own
    first. Objects of unknown classes are left out."""
    stack = [("", model)]
    while stack:
        path, part = stack.pop()
        if part.known and not any(slot.stored for slot in part.slots):
            yield path
        stack.extend((f"{path}/{at}" if path else at, child) for at, child in reversed(part.children))


def slots_of(layer: Layer) -> Mapping[str, Slot]:
    """The slots of a layer and of what it holds, by their paths below the layer's own in the layout of `.weights.h5`
    (`vars/0`, `cell/vars/1`). Empty where the class is not known or the config makes no sense."""
    try:
        args = Args.of(layer.entry)
        return {path: slot for path, _, slot in in_path_layout(part_of(args.class_name, args, args.built))}
    except ConfigError:
        return {}


def shapes_fit(expected: tuple[int | None, ...] | None, shape: tuple[int, ...]) -> bool:
    """Whether an array has the expected shape, as far as that is known."""
    if expected is None:
        return True
    pairs = zip(expected, shape, strict=False)
    return len(expected) == len(shape) and all(size in (None, stored) for size, stored in pairs)
