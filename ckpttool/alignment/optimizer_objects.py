"""The optimizer in the object graph of a TensorFlow checkpoint: what it counts, and what it keeps for which weight.

Optimizers up to 2.10 keep what they need for a variable as slot variables, which the object graph names by variable and
kind (`OptimizerV2._create_or_restore_slot_variable`, keras/optimizers/optimizer_v2/optimizer_v2.py, 2.10); those since
keep all in a list, `_variables` (keras/src/optimizers/optimizer.py, 2.15, and base_optimizer.py, 3.15).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.object_graph import VALUE, ObjectGraph

_INNER = ("base_optimizer", "_optimizer", "inner_optimizer")
_COUNTS, _RATES = ("iter", "_iterations"), ("learning_rate", "_learning_rate")
_SCALES = (("loss_scale", "current_loss_scale"), ("_loss_scale", "current_loss_scale"), ("dynamic_scale",))
_GOOD_STEPS = (("loss_scale", "good_steps"), ("_loss_scale", "good_steps"), ("dynamic_counter",), ("step_counter",))
_NAMES_BEFORE = 3  # that stand before the name of a weight in that of its state: the optimizer, the kind
_PRODUCTS = ("momentum_cache", "_u_product")  # of Nadam's momenta


class UnplacedState(Exception):
    """The object graph does not say which variables are an optimizer's; the message says why."""


@dataclass(frozen=True, slots=True)
class SlotWeight:
    """A slot variable of an optimizer: the path of the variable that it is for, its kind (`m`, `rms`), its weight."""

    owner: str
    kind: str
    weight: Weight


@dataclass(frozen=True, slots=True)
class OptimizerObjects:
    """The stored variables of an optimizer.

    `count` counts its steps, `rate` is its learning rate, `product` the product of Nadam's momenta, `scale` what losses
    are multiplied by, and `good_steps` for how many steps already: each None where it is not stored. Of the others,
    `listed` are those of one since 2.11, in its order, `slots` those of an older one.
    """

    count: Weight | None = None
    rate: Weight | None = None
    product: Weight | None = None
    scale: Weight | None = None
    good_steps: Weight | None = None
    listed: tuple[Weight, ...] = ()
    slots: tuple[SlotWeight, ...] = ()


def optimizer_objects(checkpoint: Checkpoint, model: frozenset[str]) -> OptimizerObjects | None:
    """The variables of the optimizer that keeps state for the weights of a model, whose paths are `model`; None where
    the graph has none. Raises UnplacedState where several may be meant, or not all is stored."""
    graph = checkpoint.object_graph
    if graph is None or not graph.nodes:
        return None
    outer = _optimizer(graph, checkpoint, model)
    if outer is None:
        return None
    stored, node = _Stored(graph, checkpoint), _inside(graph, outer)
    product = stored.first(node, *_PRODUCTS)
    listed = tuple(weight for weight in stored.listed(node) if product is None or weight.path != product.path)
    slots = () if listed else tuple(stored.slots(node))
    objects = OptimizerObjects(
        listed[0] if listed else stored.first(node, *_COUNTS),
        stored.first(node, *_RATES),
        product,
        stored.at_first(outer, _SCALES),
        stored.at_first(outer, _GOOD_STEPS),
        listed[1:],
        slots,
    )
    if objects.count is None and any(weight.shape for weight in checkpoint.section(Section.OPTIMIZER)):
        raise UnplacedState("its variables are not where an optimizer of tf.keras keeps them")
    return objects


def _optimizer(graph: ObjectGraph, checkpoint: Checkpoint, model: frozenset[str]) -> int | None:
    """The node of the optimizer that keeps state for the weights of a model, or of the one around it.

    A model that was compiled and is trained by a loop of its user's has a second optimizer, which keeps no state.
    """
    named = [node for node in (graph.at(("optimizer",)), graph.at(("model", "optimizer"))) if node is not None]
    nodes = [node for node in range(len(graph.nodes)) if _keeps_state(graph, node)]
    own_names = {weight.name for path in model if (weight := checkpoint.weights.get(path)) and weight.name}
    lists = {number for node in nodes if (number := graph.nodes[node].child("_variables")) is not None}
    own_lists = {number for number in lists if any(_is_for(name, own_names) for name in _listed_names(graph, number))}
    of_model = [
        node
        for node in nodes
        if graph.nodes[node].child("_variables") in own_lists
        or any(graph.nodes[slot.variable].key() in model for slot in graph.nodes[node].slots)
    ]
    if named and not (of_model and _is_without_state(graph, named[0])):
        return named[0]
    chosen = of_model or nodes
    if len(chosen) > 1:
        raise UnplacedState(f"the file holds {len(chosen)} optimizers, and nothing says which belongs to this model")
    return chosen[0] if chosen else None


def _listed_names(graph: ObjectGraph, variables: int) -> Iterator[str]:
    """The names of the variables in the list of an optimizer since 2.11, such as `Adam/m/dense/kernel`."""
    for _, number in graph.nodes[variables].children:
        yield from (attribute.full_name for attribute in graph.nodes[number].attributes if attribute.name == VALUE)


def _is_for(name: str, own_names: set[str]) -> bool:
    """Whether a variable of an optimizer is for one of these weights, whose name stands at the end of its own."""
    for _ in range(_NAMES_BEFORE):
        _, slash, name = name.partition("/")
        if slash and name in own_names:
            return True
    return False


def _is_without_state(graph: ObjectGraph, node: int) -> bool:
    """Whether neither an optimizer nor the one inside it keeps anything for a weight."""
    inner = [child for name in _INNER if (child := graph.nodes[node].child(name)) is not None]
    lists = [graph.nodes[own].child("_variables") for own in (node, *inner)]
    slots = any(graph.nodes[own].slots for own in (node, *inner))
    return not slots and not any(len(graph.nodes[own].children) > 2 for own in lists if own is not None)


def _inside(graph: ObjectGraph, node: int) -> int:
    """The optimizer itself, or the one that it holds and whose losses it scales, where that keeps the state: from
    TensorFlow 2.4 to 2.10 the outer one does."""
    if graph.nodes[node].slots:
        return node
    return next((child for name in _INNER if (child := graph.nodes[node].child(name)) is not None), node)


def _keeps_state(graph: ObjectGraph, node: int) -> bool:
    counted = any(graph.nodes[node].child(name) is not None for name in _COUNTS)
    return bool(graph.nodes[node].slots) or (counted and graph.nodes[node].child("_variables") is not None)


class _Stored:
    """The stored variables of a graph."""

    def __init__(self, graph: ObjectGraph, checkpoint: Checkpoint) -> None:
        self._graph = graph
        self._checkpoint = checkpoint

    def at(self, node: int, *path: str) -> Weight | None:
        """The variable at a path from a node."""
        child = self._graph.at(path, node)
        return None if child is None else self._checkpoint.weights.get(self._graph.nodes[child].key())

    def first(self, node: int, *names: str) -> Weight | None:
        """The first variable that a node has under one of these names."""
        return next((weight for name in names if (weight := self.at(node, name)) is not None), None)

    def at_first(self, node: int, paths: tuple[tuple[str, ...], ...]) -> Weight | None:
        """The first number that there is at one of these paths from a node."""
        stored = next((weight for path in paths if (weight := self.at(node, *path)) is not None), None)
        return stored if stored is None or not stored.shape else None

    def listed(self, node: int) -> Iterator[Weight]:
        """The variables that an optimizer since 2.11 lists, the iteration first; none of an older one."""
        variables = self._graph.nodes[node].child("_variables")
        if variables is None:
            return
        count = len(self._graph.nodes[variables].children)
        weights = [self.at(variables, str(number)) for number in range(count)]
        first = weights[0] if weights and weights[0] is not None else self.at(node, "_iterations")
        rest = [weight for weight in weights[1:] if weight is not None]
        if first is None or len(rest) != max(count - 1, 0):
            raise UnplacedState("not all of its variables are stored")
        yield from (first, *rest)

    def slots(self, node: int) -> Iterator[SlotWeight]:
        """The slot variables of an optimizer up to 2.10, in the order of the graph."""
        for slot in self._graph.nodes[node].slots:
            weight, owner = self.at(slot.node), self._graph.nodes[slot.variable].key()
            if weight is None or not owner:
                raise UnplacedState("not all of its variables are stored")
            yield SlotWeight(owner, slot.slot, weight)
