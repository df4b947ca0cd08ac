"""The slots of a model in the object graph of a TensorFlow checkpoint, found by a walk from layer to layer.

Nothing is guessed from keys. The node of a model has the layers under numbers, `layer-3` in Keras 2 and `_operations/3`
in Keras 3. The node of a layer has its attributes under their names, and the items of a list under numbers. An object
may have several names; the first that exists is as good as any. (`Functional._trackable_children`,
keras/src/engine/functional.py, 2.15; keras/src/utils/tracking.py, 3.15.)
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple, Protocol, TypeVar

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.model.sizes import Shape, shapes_fit
from ckpttool.model.slots import Part, Slot
from ckpttool.object_graph import EXPORTED, Node, ObjectGraph
from ckpttool.paths import join_path

Key = tuple[str, str, str]
"""The key of a slot, which no other slot has: its top layer, the path of its owner below that, its own name."""

_FUNCTIONAL, _OPERATIONS = "_functional", "_operations"
_WHOLE = frozenset({"int32", "int64"})
_LISTED, _NUMBERED = "layers/", ("layer-", "_operations", "_functional")
_MOST_NAMES = 8  # of a label that are left out
_OLD_NAMES = {"_lookup_layer": "_index_lookup_layer"}  # up to TensorFlow 2.6
_OLD_OWNERS = {"_lookup_layer": "_vectorize_layer"}  # which counted and weighed words up to TensorFlow 2.4


class _Step(NamedTuple):
    """An object of the model and its node; `group` and `owner` are its top layer and its path below that. `old_owner`
    is the node of the object that had its weights in older versions, None where there is none. `path` is the object's
    path in `.weights.h5`, from the model on."""

    part: Part
    node: int
    group: str
    owner: str
    old_owner: int | None = None
    path: str = ""


def in_object_graph(model: Part, checkpoint: Checkpoint) -> Iterator[tuple[Key, Weight]]:
    """The weights of a checkpoint by the slots of a model, as far as its object graph leads to them and shapes agree.

    The model may be the root of the graph or an attribute of the root (`tf.train.Checkpoint(model=model)`). Where two
    of these fit equally well, either may be meant, and there are no pairs.
    """
    graph = checkpoint.object_graph
    if graph is None:
        return
    starts = dict.fromkeys((0, *(child for _, child in graph.nodes[0].children)))
    candidates = [dict(_pairs(model, graph, start, checkpoint)) for start in starts]
    best = max(candidates, key=len)
    # One model under two names leads to the same weights: that is no rival.
    rivals = {
        frozenset(weight.path for weight in candidate.values())
        for candidate in candidates
        if len(candidate) == len(best)
    }
    if len(rivals) == 1:
        yield from best.items()


def layers_in_graph(model: Part, graph: ObjectGraph) -> Iterator[tuple[str, Part, int]]:
    """The layers of a model that is the root of a graph, and of the models in it: chain of names, object, node."""
    stack = [("", model, 0)] if graph.nodes else []
    while stack:
        label, part, node = stack.pop()
        for _, child, number in _layers(_Step(part, node, "", ""), graph):
            if number is None:
                continue
            name = join_path(label, child.name)
            yield name, child, number
            if child.is_model:
                stack.append((name, child, number))


def _pairs(model: Part, graph: ObjectGraph, start: int, weights: Mapping[str, Weight]) -> Iterator[tuple[Key, Weight]]:
    stack = [_Step(model, start, "", "")]
    while stack:
        step = stack.pop()
        for slot in step.part.slots:
            owners = (_weight(graph, owner, slot, weights) for owner in _owners(slot, step, graph))
            weight = next((weight for weight in owners if weight is not None), None)
            if weight is not None and shapes_fit(slot.shape, weight.shape):
                yield (step.group, step.owner, slot.name), weight
        below = _layers(step, graph) if step.part.is_model and _lists(step, graph) else _attributes(step, graph)
        stack.extend(
            _Step(part, node, *_place(step, at, part), _old_owner(step, at, graph), join_path(step.path, at))
            for at, part, node in below
            if node is not None
        )


def _place(step: _Step, at: str, part: Part) -> tuple[str, str]:
    """The top layer of a child of an object, and the child's path below that layer."""
    if not step.group and not step.owner and step.part.is_model:
        return part.name, ""
    return step.group, join_path(step.owner, at)


def _old_owner(step: _Step, at: str, graph: ObjectGraph) -> int | None:
    """The node of the object that had the weights of a child of an object in older versions."""
    return graph.nodes[step.node].child(_OLD_OWNERS.get(at, ""))


def _owners(slot: Slot, step: _Step, graph: ObjectGraph) -> Iterator[int]:
    """The nodes of the objects that may own a slot of an object: others where the slot is borrowed from one."""
    names = (slot.borrowed, _OLD_OWNERS.get(slot.borrowed, "")) if slot.borrowed else ()
    others = (attribute(name, step.node, graph) for name in names if name)
    yield from (other for other in (*others, step.node, step.old_owner) if other is not None)


def attribute(name: str, node: int, graph: ObjectGraph) -> int | None:
    """The node of an attribute of an object, under any of the names that Keras gives it; None where there is none."""
    names = (name, f"_{name}", _OLD_NAMES.get(name, name))
    return next((child for name in names if (child := graph.nodes[node].child(name)) is not None), None)


def _weight(graph: ObjectGraph, node: int, slot: Slot, weights: Mapping[str, Weight]) -> Weight | None:
    """The weight of a slot of an object, under any of the names that Keras gives it there; None where there is none."""
    for name in (slot.name, slot.tracked, f"_{slot.name}"):
        child = graph.nodes[node].child(name) if name else None
        weight = weights.get(graph.nodes[child].key()) if child is not None else None
        if weight is not None:
            return weight
    return None


def _lists(step: _Step, graph: ObjectGraph) -> bool:
    """Whether the file has the layers of a model in a list: those of a model of the user's own class are attributes."""
    return any(name.startswith(_NUMBERED) for name, _ in graph.nodes[step.node].children)


def has_attributes_alone(model: Part, checkpoint: Checkpoint) -> bool:
    """Whether a model of the user's own class and a file both have layers as attributes alone.

    Then the names of variables say nothing beside them: Keras numbers those by the order in which layers were made. An
    export by Keras 3 has no layers, and names alone.
    """
    graph = checkpoint.object_graph
    if graph is None or graph.nodes[0].child(EXPORTED) is not None:
        return False
    return any(layer.attributes or layer.aliases or not at.startswith(_LISTED) for at, layer in model.children)


def _layers(step: _Step, graph: ObjectGraph) -> Iterator[tuple[str, Part, int | None]]:
    """The layers of a model with their places and nodes."""
    children = step.part.children
    holder = graph.at((_OPERATIONS,), step.node)
    if holder is None:
        holder = graph.at((_FUNCTIONAL, _OPERATIONS), step.node)
    if holder is not None:  # a file of Keras 3, which numbers operations and inputs, too
        yield from ((at, part, graph.at((str(n),), holder)) for n, (at, part) in enumerate(children))
        return
    listed = [(at, part) for at, part in children if part.listed]
    shift = _has_input_layer(step.node, graph, len(listed))
    yield from ((at, part, graph.at((f"layer-{n + shift}",), step.node)) for n, (at, part) in enumerate(listed))


def _has_input_layer(node: int, graph: ObjectGraph, count: int) -> bool:
    """Whether a Sequential has its InputLayer as `layer-0`, as TensorFlow up to 2.1 wrote it.

    Then the graph has one layer more than the config, and the first has no weights.
    """
    if graph.nodes[node].child(f"layer-{count}") is None or graph.nodes[node].child(f"layer-{count + 1}") is not None:
        return False
    first = graph.nodes[node].child("layer-0")
    return first is not None and not any(graph.nodes[child].attributes for _, child in graph.nodes[first].children)


def _attributes(step: _Step, graph: ObjectGraph) -> Iterator[tuple[str, Part, int | None]]:
    """The objects inside a layer with their places and nodes: by the name of an attribute, or by number in a list."""
    counts: dict[str, int] = {}
    for at, part in step.part.children:
        if part.attributes:
            yield at, part, _node_of_ways(part, step.node, graph)
            continue
        if step.part.is_model and at.startswith(_LISTED):
            yield at, part, _node_of_alias(part, step, graph)
            continue
        container, _, _ = at.rpartition("/")
        number = counts[container] = counts.get(container, -1) + 1
        node = attribute(container or at, step.node, graph)
        yield at, part, _member(graph.nodes[node], number) if container and node is not None else node


def _node_of_ways(part: Part, node: int, graph: ObjectGraph) -> int | None:
    """The node of an object that attributes of a live object lead to, through lists and dicts. None where there is
    none, or where attributes lead to several: either may be meant."""
    holders = ((attribute(way[0], node, graph), way[1:]) for way in part.attributes)
    nodes = {graph.at(below, holder) for holder, below in holders if holder is not None} - {None}
    return nodes.pop() if len(nodes) == 1 else None


def _node_of_alias(layer: Part, step: _Step, graph: ObjectGraph) -> int | None:
    """The node of a layer that Keras 3 lists, and that is an attribute of a model of the user's own class; None where
    it is a member of a list or a dict, whose place there is not known."""
    above = [f"{path}/" for path in (step.path, *step.part.aliases) if path] or [""]
    names = [alias.removeprefix(path) for alias in layer.aliases for path in above if alias.startswith(path)]
    return next((attribute(name, step.node, graph) for name in names if "/" not in name), None)


def _member(container: Node, number: int) -> int | None:
    """The node of a member of a list or, in the order of its keys, of a dict; None where there are fewer."""
    numbered = container.child(str(number))
    if numbered is not None or number >= len(container.children):
        return numbered
    return None if container.child("0") is not None else container.children[number][1]


def without_counters(checkpoint: Checkpoint, used: Set[str]) -> list[Weight]:
    """The weights of the model sections of a checkpoint, without the whole numbers that stand at the root beside the
    model, whose weights are `used`: the step of a training loop in `tf.train.Checkpoint(step=tf.Variable(1), net=net)`.
    """
    weights, graph = checkpoint.section(Section.MODEL), checkpoint.object_graph
    if graph is None or not graph.nodes or not used:
        return list(weights)
    children = [child for _, child in graph.nodes[0].children]
    if not any(used <= {graph.nodes[node].key() for node in graph.reached(child)} for child in children):
        return list(weights)  # the model is the root itself
    beside = {graph.nodes[child].key() for child in children} - used
    return [weight for weight in weights if not (weight.path in beside and weight.dtype in _WHOLE and not weight.shape)]


def _ends(label: str) -> list[str]:
    """The label without its first names, down to a layer and its weight."""
    names = label.split("/", _MOST_NAMES)
    return ["/".join(names[at:]) for at in range(1, len(names) - 1)]


class _Labelled(Protocol):
    """A slot, with the label that the variable has as its name."""

    @property
    def label(self) -> str: ...

    @property
    def shape(self) -> Shape | None: ...


Labelled = TypeVar("Labelled", bound=_Labelled)


def by_variable_name(
    model: str, slots: Iterable[Labelled], weights: Iterable[Weight]
) -> Iterator[tuple[Labelled, Weight]]:
    """The slots and the weights whose variables have the slots' labels as names, behind the name of the model or not.

    TensorFlow 1 stored nothing else, and an export by Keras 3 has no layers. A name of several weights does not count.
    Layers of a Functional model in the model were built before it, and lack its name: a label counts without its first
    names, too, if no other slot has one that ends so.
    """
    listed = list(slots)
    ends = Counter(end for slot in listed for end in (slot.label, *_ends(slot.label)))
    by_name: dict[str, list[Weight]] = {}
    for weight in weights:
        by_name.setdefault(weight.name or "", []).append(weight)
    for slot in listed:
        whole = dict.fromkeys((slot.label, f"{model}/{slot.label}"))
        matches = [weight for name in whole for weight in by_name.get(name, ())]
        if not matches:
            own = (end for end in _ends(slot.label) if ends[end] == 1)
            matches = [weight for name in own for weight in by_name.get(name, ())]
        if len(matches) == 1 and shapes_fit(slot.shape, matches[0].shape):
            yield slot, matches[0]
