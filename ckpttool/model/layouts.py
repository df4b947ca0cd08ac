"""The places of a model's slots in the layouts of Keras."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ckpttool.model.sizes import Shape
from ckpttool.model.slots import Part, Slot, in_path_layout, in_weights_order, owned_in_legacy_order
from ckpttool.paths import join_path

_LAYERS = "layers/"


@dataclass(frozen=True, slots=True)
class Place:
    """One slot of a model and its places.

    `layer` joins the names of nested models down to the layer, `name` the names inside that layer down to the weight
    (`forward_lstm/lstm_cell/kernel`). `path` is the place in `.weights.h5`, empty for a weight that is not in there;
    `group` and `index` are the top layer and the position in its list of weights in Keras 3's legacy `.h5`, `index`
    None where the weight is already there at another place. The weights of a model itself have neither layer nor group,
    and their `index` is the position among them. `owner` is the path of attributes from the top layer to the object
    that has the slot; names of objects do not matter for it.
    """

    layer: str
    name: str
    slot: Slot
    path: str
    group: str
    index: int | None
    owner: str

    @property
    def label(self) -> str:
        """The name of the weight for people: the names down to its layer and the weight inside that."""
        return join_path(self.layer, self.name)

    @property
    def shape(self) -> Shape | None:
        """The shape of the slot, None where it is not known."""
        return self.slot.shape


def places_of(model: Part) -> Iterator[Place]:
    """The places of all slots of a model, its own first, then layer after layer, in the order of `.weights.h5`; slots
    that are not in there come last in their layer."""
    own = replace(model, children=())
    paths = {slot.name: path for path, _, slot in in_path_layout(own)}
    for index, (_, slot) in enumerate(in_weights_order(own)):
        yield Place("", slot.name, slot, paths.get(slot.name, ""), "", index, "")
    for at, top in model.children:
        yield from _places_in(at, top)


def _places_in(at: str, top: Part) -> Iterator[Place]:
    listed = owned_in_legacy_order(top) if top.tracked else []
    legacy = {key: index for index, (key, _) in enumerate(listed)}
    stored = set[tuple[str, str]]()
    owners = {path: (layer, inside) for path, layer, inside, _ in _owners(at, top)}
    for relative, _, slot in in_path_layout(top):
        owner = relative.rpartition("/vars/")[0] if "/vars/" in relative else ""
        stored.add((owner, slot.name))
        layer, inside = owners[owner]
        index = None if slot.borrowed else legacy.get((owner, slot.name))
        yield Place(layer, "/".join((*inside, slot.name)), slot, f"{at}/{relative}", top.name, index, owner)
    for (owner, name), slot in listed:
        if (owner, name) not in stored:
            layer, inside = owners[owner]
            yield Place(layer, "/".join((*inside, name)), slot, "", top.name, legacy[owner, name], owner)


def layers_in(model: Part) -> Iterator[tuple[str, str, Part]]:
    """The layers of a model: joined names, path in `.weights.h5`, the layer itself."""
    for at, top in model.children:
        for path, layer, inside, part in _owners(at, top):
            if not inside and part.placed and not part.is_optimizer:
                yield layer, join_path(at, path), part


def _owners(at: str, top: Part) -> Iterator[tuple[str, str, tuple[str, ...], Part]]:
    """The objects of a layer: path below it, joined names of the innermost layer, names inside that, the object.

    An object that is an attribute of a subclassed model is a layer itself, as in the names that `.weights.h5` stores.
    """
    stack: list[tuple[str, str, tuple[str, ...], Part]] = [("", top.name, (), top)]
    while stack:
        path, layer, inside, part = stack.pop()
        yield path, layer, inside, part
        for below, child in reversed(part.children):
            child_path = join_path(path, below)
            if (part.is_model and not inside) or _LAYERS not in f"{at}/{path}/":
                stack.append((child_path, f"{layer}/{child.name}", (), child))
            else:
                stack.append((child_path, layer, (*inside, child.name), child))


def opaque_in(model: Part) -> Iterator[tuple[str, Part, str]]:
    """The objects of unknown classes in a model: joined names, the object, its path in `.weights.h5`."""
    stack = [(top.name, top, at) for at, top in reversed(model.children)]
    if not model.known:
        yield model.name, model, ""
    while stack:
        chain, part, path = stack.pop()
        if not part.known and part.placed and not part.is_optimizer:
            yield chain, part, path
        stack.extend((f"{chain}/{child.name}", child, f"{path}/{at}") for at, child in reversed(part.children))


def lookups_in(model: Part) -> Iterator[tuple[str, str, Part]]:
    """The objects of a model that look values up in a vocabulary: joined names, path in a `.keras`, the object."""
    for at, top in model.children:
        for path, layer, inside, part in _owners(at, top):
            if part.vocabulary is not None and part.placed:
                yield "/".join((layer, *inside)), join_path(at, path), part


def keeping_assets_in(model: Part) -> Iterator[str]:
    """The paths in a `.keras` of the objects that store files beside their weights there."""
    return (path for path, part, again in _placed_in(model) if part.assets and not again)


def empty_in(model: Part) -> Iterator[str]:
    """The paths in `.weights.h5` of the objects of a model that have no weights of their own there, the model's own
    first. Objects of unknown classes are left out, and those that Keras looks for at further paths."""
    for path, part, again in _placed_in(model):
        if part.known and not again and not _stores(part):
            yield path


def names_in(model: Part) -> Iterator[tuple[str, str]]:
    """The objects that Keras writes into `.weights.h5`: paths and names, in its order, the model itself first.

    Keras visits the children of an object in the order of attribute names, private ones last, and the layers of a model
    before all others (`_walk_saveable`, keras/src/saving/saving_lib.py, 3.15).
    """
    stack = [("", model)]
    while stack:
        path, part = stack.pop()
        if part.placed and part.listed:
            yield path, part.name
            turns = sorted((*_turn(at, part.is_model), n) for n, (at, _) in enumerate(part.children))
            children = [part.children[number] for *_, number in reversed(turns)]
            stack.extend((join_path(path, at), child) for at, child in children)


def _turn(place: str, of_model: bool) -> tuple[bool, bool, str]:
    """The sort key of a child by which Keras visits the children of an object."""
    attribute = place.partition("/")[0]
    return not of_model or attribute != "layers", attribute.startswith("_"), attribute


def aliases_in(model: Part) -> Iterator[tuple[str, str]]:
    """Pairs of an object's path and a further path at which Keras looks for it, of a live model."""
    for path, part, _ in _placed_in(model):
        yield from ((path, other) for other in part.aliases)


def optimizers_in(model: Part) -> Iterator[tuple[str, Part]]:
    """The optimizers of a live model, with their paths in `.weights.h5`."""
    return ((path, part) for path, part, _ in _placed_in(model) if part.is_optimizer)


def _placed_in(model: Part) -> Iterator[tuple[str, Part, bool]]:
    """The objects of a model that have a place in `.weights.h5`, with their paths; the model itself first. The third
    value says whether Keras retries the object through another path, its own or its owner's, when the first fails."""
    stack = [("", model, False)]
    while stack:
        path, part, again = stack.pop()
        if part.placed:
            again = again or bool(part.aliases)
            yield path, part, again
            again = again and not _stores(part)  # its own weights are not at the other path, where Keras then fails
            stack.extend((join_path(path, at), child, again) for at, child in reversed(part.children))


def _stores(part: Part) -> bool:
    return any(slot.stored for slot in part.slots)
