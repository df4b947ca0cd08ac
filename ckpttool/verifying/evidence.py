"""What stored names say about pairs that were made without them: whether weights would be loaded crosswise."""

import re
from collections.abc import Callable, Mapping, Sequence

from ckpttool.architecture.spec import SpecSlot
from ckpttool.checkpoint import Weight

Pair = tuple[SpecSlot, Weight]

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


def crosswise_inside(slots: Sequence[SpecSlot], weights: Sequence[Weight]) -> dict[str, str]:
    """The weights of one layer of a legacy file that get the values of another one, by the last pieces of names."""
    loaded = {_last(slot.label): _last(weight.name or "") for slot, weight in zip(slots, weights, strict=False)}
    if len(loaded) < min(len(slots), len(weights)):
        return {}  # two weights of one name: nothing can be said
    wrong = {ours: theirs for ours, theirs in loaded.items() if ours != theirs}
    return {ours: theirs for ours, theirs in wrong.items() if _in_circle(ours, wrong)}


def last_pieces(slot: SpecSlot) -> str:
    """The last two names of a weight, by which `crosswise_inside` knows it."""
    return _last(slot.label)


def _in_circle(name: str, follows: Mapping[str, str]) -> bool:
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


def _last(name: str) -> str:
    return "/".join(name.removesuffix(":0").split("/")[-2:])
