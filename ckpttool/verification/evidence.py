"""The evidence of stored names: whether a loader that ignores names would load weights into the wrong layers."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from ckpttool.alignment.legacy_order import LASTING
from ckpttool.checkpoint import Weight
from ckpttool.model.spec import SpecSlot

Pair = tuple[SpecSlot, Weight]
Name = TypeVar("Name", bound=Hashable)

_MOST_NAMES = 8  # parts at the end of a stored name that are compared

_NUMBER = re.compile(r"_\d+$")


def swapped_layers(
    pairs: Sequence[Pair],
    owner: Callable[[SpecSlot], str],
    layer_of: Callable[[Weight], str | None],
    stored: set[str],
) -> dict[str, str]:
    """The layers that would get the weights of another layer, by name, with the name of that layer in the file.

    `owner` gives the layer of a slot, `layer_of` the stored name of a weight's layer, None where the file has none;
    `stored` are all such names. Names that Keras numbers itself shift from one session to the next. So a name that
    differs in its number alone counts only where layers have swapped places.
    """
    loaded = dict[str, str]()
    for slot, weight in pairs:
        name = layer_of(weight)
        if name is not None:
            loaded.setdefault(owner(slot), name)
    # A layer of a model inside a layer of the user's own has that one in its name.
    wrong = {ours: theirs for ours, theirs in loaded.items() if not f"{theirs}/".startswith(f"{ours}/")}
    return {
        ours: theirs
        for ours, theirs in wrong.items()
        if _in_circle(ours, wrong) or (ours in stored and _stem(ours) != _stem(theirs))
    }


def swapped_weights(pairs: Sequence[Pair], owner: Callable[[SpecSlot], str]) -> dict[SpecSlot, str]:
    """The slots that would get the values of another weight of the same layer, with the stored name of that weight.

    Names inside layers differ between generations of Keras. So they count only where weights have swapped places, or
    where both names have the same meaning in all generations since Keras 2.
    """
    layers: dict[str, list[Pair]] = {}
    for slot, weight in pairs:
        layers.setdefault(owner(slot), []).append((slot, weight))
    return {slot: name for layer in layers.values() for slot, name in _crossed(layer).items()}


def _crossed(pairs: list[Pair]) -> dict[SpecSlot, str]:
    known = [(slot, slot.label.split("/"), name) for slot, weight in pairs if (name := _stored(slot, weight))]
    crossed = {slot: "/".join(name) for slot, ours, name in known if _differ(ours[-1], name[-1])}
    # Names are compared from their ends: their beginnings are scopes that differ between versions.
    depth = next((depth for depth in range(1, _MOST_NAMES) if _are_unique(known, depth)), None)
    if depth is None:
        return crossed
    loaded = {tuple(ours[-depth:]): tuple(name[-depth:]) for _, ours, name in known}
    wrong = {ours: theirs for ours, theirs in loaded.items() if ours != theirs}
    circles = {ours for ours in wrong if _in_circle(ours, wrong)}
    return crossed | {slot: "/".join(name) for slot, ours, name in known if tuple(ours[-depth:]) in circles}


def _differ(ours: str, theirs: str) -> bool:
    return ours != theirs and {ours, theirs} <= LASTING


def _stored(slot: SpecSlot, weight: Weight) -> list[str]:
    """The parts of a weight's stored name; in the path layout the names of the objects that lead to it, if any."""
    if weight.name is not None:
        return weight.name.removesuffix(":0").split("/")
    if weight.layer is None:
        return []
    return [*weight.layer.split("/"), *filter(None, weight.part.split("/")), slot.name.rpartition("/")[2]]


def _are_unique(known: list[tuple[SpecSlot, list[str], list[str]]], depth: int) -> bool:
    """Whether the last `depth` parts of names are different for all weights of a layer, on both sides."""
    ours = {tuple(name[-depth:]) for _, name, _ in known}
    theirs = {tuple(name[-depth:]) for _, _, name in known}
    return len(ours) == len(theirs) == len(known) > 0


def _in_circle(name: Name, follows: Mapping[Name, Name]) -> bool:
    """Whether the way from a name to the name loaded into it, and so on, leads back to the name."""
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
