"""The state of an optimizer in a file of TensorFlow, listed as the `.h5` of the same version lists it.

Optimizers up to 2.10 keep what they need for a variable as slot variables, which the object graph names by variable and
kind (`OptimizerV2._create_or_restore_slot_variable`, keras/optimizers/optimizer_v2/optimizer_v2.py, 2.10); those since
keep all in a list, `_variables` (keras/src/optimizers/optimizer.py, 2.15, and base_optimizer.py, 3.15).
"""

from collections.abc import Iterator
from dataclasses import replace

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.conversion.compile.optimizer_scalars import Lost, finite
from ckpttool.object_graph import VALUE, ObjectGraph

_INNER = ("base_optimizer", "_optimizer", "inner_optimizer")
_COUNTS, _RATES = ("iter", "_iterations"), ("learning_rate", "_learning_rate")
_SCALES = (("loss_scale", "current_loss_scale"), ("_loss_scale", "current_loss_scale"), ("dynamic_scale",))
_KINDS = "m rms accum_grad accumulator v momentum accum_var linear vhat mg".split()
"""What the slots are called, in the order in which an optimizer lists them: those of one come in this order."""

_BY_WEIGHT = frozenset({"accumulator", "linear"})  # of Ftrl, which lists weight after weight
_PREFIX = "optimizer_weights"


def state_of(checkpoint: Checkpoint, model: frozenset[str]) -> list[Weight]:
    """The variables of the optimizer in the order of a legacy file, each under a path that ends in the path of the
    weight that it is for; `model` are the paths of the weights of the model. Raises Lost where several optimizers may
    be meant."""
    graph = checkpoint.object_graph
    if graph is None:
        return list(checkpoint.section(Section.OPTIMIZER))
    node = _optimizer(graph, model)
    if node is None:
        return []
    weights = _Weights(graph, checkpoint)
    found = weights.listed(node) or weights.slots(node)
    if not found and any(weight.shape for weight in checkpoint.section(Section.OPTIMIZER)):
        raise Lost("its variables are not where an optimizer of tf.keras keeps them")
    return found


def loss_scale(checkpoint: Checkpoint) -> float | None:
    """The number that losses are multiplied by, where an optimizer scales them. Raises Lost where it is none."""
    graph = checkpoint.object_graph
    node = graph.at(("optimizer",)) if graph and graph.nodes else None
    if graph is None or node is None:
        return None
    weights = _Weights(graph, checkpoint)
    found = next((one for path in _SCALES if (one := weights.at(node, *path)) is not None), None)
    return finite(found) if found is not None and not found.shape else None


def _optimizer(graph: ObjectGraph, model: frozenset[str]) -> int | None:
    """The node of the optimizer that keeps state for the weights of a model."""
    named = [node for node in (graph.at(("optimizer",)), graph.at(("model", "optimizer"))) if node is not None]
    if named:
        return _inside(graph, named[0])
    found = [node for node in range(len(graph.nodes)) if _keeps_state(graph, node)]
    of_model = [node for node in found if any(_key(graph, one.variable) in model for one in graph.nodes[node].slots)]
    chosen = of_model or found
    if len(chosen) > 1:
        raise Lost(f"the file holds {len(chosen)} optimizers, and nothing tells which is of this model")
    return chosen[0] if chosen else None


def _inside(graph: ObjectGraph, node: int) -> int:
    """The optimizer itself, or the one that it holds and whose losses it scales, where that keeps the state: from
    TensorFlow 2.4 to 2.10 the outer one does."""
    if graph.nodes[node].slots:
        return node
    return next((child for name in _INNER if (child := graph.nodes[node].child(name)) is not None), node)


def _keeps_state(graph: ObjectGraph, node: int) -> bool:
    counted = any(graph.nodes[node].child(name) is not None for name in _COUNTS)
    return bool(graph.nodes[node].slots) or (counted and graph.nodes[node].child("_variables") is not None)


def _key(graph: ObjectGraph, node: int) -> str:
    """The path of the weight that a variable is."""
    return next((one.key for one in graph.nodes[node].attributes if one.name == VALUE), "")


class _Weights:
    """The stored variables of a graph."""

    def __init__(self, graph: ObjectGraph, checkpoint: Checkpoint) -> None:
        self._graph = graph
        self._checkpoint = checkpoint

    def at(self, node: int, *path: str) -> Weight | None:
        """The variable at a path from a node."""
        found = self._graph.at(path, node)
        return None if found is None else self._checkpoint.weights.get(_key(self._graph, found))

    def listed(self, node: int) -> list[Weight]:
        """The variables that an optimizer since 2.11 lists, the iteration first; none of an older one. Raises Lost
        where one is not stored."""
        variables = self._graph.nodes[node].child("_variables")
        if variables is None:
            return []
        count = len(self._graph.nodes[variables].children)
        found = [self.at(variables, str(number)) for number in range(count)]
        first = found[0] if found and found[0] is not None else self.at(node, "_iterations")
        rest = [weight for weight in found[1:] if weight is not None]
        if first is None or len(rest) != max(count - 1, 0):
            raise Lost("not all of its variables are stored")
        rate = self.at(node, "_learning_rate")
        front = [rate] if rate is not None and all(weight.path != rate.path for weight in rest) else []
        return [
            replace(first, path=f"{_PREFIX}/iteration"),
            *(replace(weight, path=f"{_PREFIX}/learning_rate") for weight in front),
            *(replace(weight, path=f"{_PREFIX}/{weight.name or weight.path}") for weight in rest),
        ]

    def slots(self, node: int) -> list[Weight]:
        """The variables of an optimizer up to 2.10: the iteration, what it counts beside that, and its slots, kind
        after kind."""
        count = next((one for name in _COUNTS if (one := self.at(node, name)) is not None), None)
        if count is None:
            return []
        owner = (count.name or "Optimizer/iter").rpartition("/")[0] or "Optimizer"
        kept = sorted(self._kept(node), key=lambda pair: pair[0])
        cache, rate = (
            self.at(node, "momentum_cache"),
            next((one for name in _RATES if (one := self.at(node, name)) is not None), None),
        )
        front = {"momentum_cache": cache} if cache is not None else {"learning_rate": rate}
        return [
            replace(count, path=f"{_PREFIX}/{owner.rpartition('/')[2]}/iter"),
            *(replace(one, path=f"{_PREFIX}/{name}") for name, one in front.items() if one is not None),
            *(replace(weight, path=f"{_PREFIX}/{path}") for _, path, weight in kept),
        ]

    def _kept(self, node: int) -> Iterator[tuple[tuple[int, int], str, Weight]]:
        """What is kept for variables: its turn, its path, and itself."""
        order = {slot.variable: at for at, slot in reversed(list(enumerate(self._graph.nodes[node].slots)))}
        for slot in self._graph.nodes[node].slots:
            weight = self.at(slot.node)
            owner = _key(self._graph, slot.variable)
            if weight is None or not owner:
                raise Lost("not all of its variables are stored")
            kind = _KINDS.index(slot.slot) if slot.slot in _KINDS else len(_KINDS)
            turn = (order[slot.variable], kind) if self._by_weight(node) else (kind, order[slot.variable])
            yield turn, f"{owner}/{slot.slot}", weight

    def _by_weight(self, node: int) -> bool:
        return {slot.slot for slot in self._graph.nodes[node].slots} == _BY_WEIGHT
