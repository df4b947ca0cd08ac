"""What stored names say about pairs that were made without them: whether weights would be loaded crosswise."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from ckpttool.alignment.alignment import LASTING
from ckpttool.checkpoint import Weight
from ckpttool.model.spec import SpecSlot

Pair = tuple[SpecSlot, Weight]
Name = TypeVar("Name", bound=Hashable)

_MOST_NAMES = 8

_NUMBER = re.compile(r"_\d+$")


def crosswise(
    pairs: Sequence[Pair],
    owner: Callable[[SpecSlot], str],
    layer_of: Callable[[Weight], str | None],
    stored: set[str],
) -> dict[str, str]:
    """The layers that get the weights of another one: by name, the name of the layer that the file says they are of.

    `owner` tells the layer of a slot, `layer_of` the stored name of a weight's layer, None where the file does not;
    `stored` are all such names. Names that Keras numbers itself shift from one session to the next, so a name that
    merely has another number counts only where layers have changed places among each other.
    """
    loaded = dict[str, str]()
    for slot, weight in pairs:
        name = layer_of(weight)
        if name is not None:
            loaded.setdefault(owner(slot), name)
    wrong = {ours: theirs for ours, theirs in loaded.items() if ours != theirs}
    return {
        ours: theirs
        for ours, theirs in wrong.items()
        if _in_circle(ours, wrong) or (ours in stored and _stem(ours) != _stem(theirs))
    }


def crosswise_inside(pairs: Sequence[Pair], owner: Callable[[SpecSlot], str]) -> dict[SpecSlot, str]:
    """The slots that get the values of another weight of the same layer: what the file calls what they would get.

    Names inside layers differ between generations of Keras, so that they count only where weights have changed places
    among each other, or where both names have meant the same ever since.
    """
    layers: dict[str, list[Pair]] = {}
    for slot, weight in pairs:
        layers.setdefault(owner(slot), []).append((slot, weight))
    return {slot: name for layer in layers.values() for slot, name in _crossed(layer).items()}


def _crossed(pairs: list[Pair]) -> dict[SpecSlot, str]:
    known = [(slot, slot.label.split("/"), name) for slot, weight in pairs if (name := _stored(slot, weight))]
    found = {slot: "/".join(name) for slot, ours, name in known if _differ(ours[-1], name[-1])}
    depth = next((depth for depth in range(1, _MOST_NAMES) if _tells(known, depth)), None)
    if depth is None:
        return found
    loaded = {tuple(ours[-depth:]): tuple(name[-depth:]) for _, ours, name in known}
    wrong = {ours: theirs for ours, theirs in loaded.items() if ours != theirs}
    circles = {ours for ours in wrong if _in_circle(ours, wrong)}
    return found | {slot: "/".join(name) for slot, ours, name in known if tuple(ours[-depth:]) in circles}


def _differ(ours: str, theirs: str) -> bool:
    return ours != theirs and {ours, theirs} <= LASTING


def _stored(slot: SpecSlot, weight: Weight) -> list[str]:
    """The stored name of a weight in pieces; in the path layout the names of the objects that lead to it, if any."""
    if weight.name is not None:
        return weight.name.removesuffix(":0").split("/")
    if weight.layer is None:
        return []
    return [*weight.layer.split("/"), *filter(None, weight.part.split("/")), slot.name.rpartition("/")[2]]


def _tells(known: list[tuple[SpecSlot, list[str], list[str]]], depth: int) -> bool:
    """Whether the last pieces of names tell the weights of a layer apart, on both sides."""
    ours = {tuple(name[-depth:]) for _, name, _ in known}
    theirs = {tuple(name[-depth:]) for _, _, name in known}
    return len(ours) == len(theirs) == len(known) > 0


def _in_circle(name: Name, follows: Mapping[Name, Name]) -> bool:
    """Whether going from a name to the name loaded into it leads back to it."""
    current = follows[name]
    for _ in range(len(follows)):
        if current == name:
            return True
        if current not in follows:
            return False
        current = follows[current]
    return False


def _stem(name: str) -> str:
    return _NUMBER.sub("", name)
