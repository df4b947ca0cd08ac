"""The order of layers in a Functional model of Keras 3, from which the paths of its weights are made.

Keras sorts layers by their depth, counted from the outputs, and within a depth by the order in which a walk from the
outputs first meets them (`map_graph` and `_build_map`, keras/src/ops/function.py, 3.15). Earlier generations use an
order of the same kind, over graphs that record their tensors in another order.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from ckpttool.model.graph import Call, Tensor, flat

Calls = Mapping[str, Sequence[Call]]
"""The calls of each layer by its name, nodes counted from 0."""

_Node = tuple[str, int]


def layer_order(calls: Calls, inputs: Sequence[str], outputs: Sequence[Tensor]) -> list[str]:
    """The names of the layers that lead to the outputs, and of the inputs, in the order of `model.layers`."""
    walked, met = _walk(calls, outputs)
    depths = _depths(calls, walked)
    for name in inputs:
        if name not in depths:  # an input without connection to an output comes first among the layers of depth 0
            depths[name], met[name] = 0, -1
    return sorted(depths, key=lambda name: (-depths[name], met[name]))


def _parents(calls: Calls, node: _Node) -> list[_Node]:
    """The nodes whose tensors a call takes; an input takes none."""
    name, at = node
    if at >= len(calls[name]):
        return []
    call = calls[name][at]
    return [(tensor.layer, tensor.node) for tensor in flat((call.args, call.kwargs))]


def _walk(calls: Calls, outputs: Sequence[Tensor]) -> tuple[list[_Node], dict[str, int]]:
    """The nodes from inputs to outputs, and the number of each layer in the order in which they are first met."""
    finished, walked, met = set[_Node](), list[_Node](), dict[str, int]()
    stack = [((tensor.layer, tensor.node), False) for tensor in reversed(outputs)]
    while stack:
        node, done = stack.pop()
        if done:
            walked.append(node)
            continue
        if node in finished:
            continue
        finished.add(node)
        met.setdefault(node[0], len(met))
        stack.append((node, True))
        stack.extend((parent, False) for parent in reversed(_parents(calls, node)))
    return walked, met


def _depths(calls: Calls, walked: Sequence[_Node]) -> dict[str, int]:
    """The greatest distance of each layer from the outputs."""
    of_nodes, of_layers = defaultdict[_Node, int](int), dict[str, int]()
    for node in reversed(walked):
        depth = of_nodes[node] = max(of_nodes[node], of_layers.get(node[0], 0))
        of_layers[node[0]] = depth
        for parent in _parents(calls, node):
            of_nodes[parent] = max(depth + 1, of_nodes[parent])
    return of_layers


def in_order(keys: Collection[_Node], takes: Callable[[_Node], list[_Node]]) -> Iterator[_Node]:
    """The keys in topological order: each after those that it takes. It stops at a circle, which is an error where the
    graph is walked."""
    waiting, entered = set(keys), set[_Node]()
    for first in keys:
        stack = [first]
        while stack:
            key = stack[-1]
            needed = [other for other in takes(key) if other in waiting] if key in waiting else []
            if needed and not entered.isdisjoint(needed):
                return
            if needed:
                entered.add(key)
                stack += reversed(needed)
                continue
            stack.pop()
            if key in waiting:
                waiting.discard(key)
                yield key
