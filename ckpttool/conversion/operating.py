"""The TensorFlow functions of one graph, each call replaced by operations of Keras 3 in the order in which they run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ckpttool.architecture.args import Args
from ckpttool.architecture.graph import Call, Tensor
from ckpttool.conversion.graphs import Connections, GraphLayer
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.operations import CLASSES, Inner, Node, Result, Sizes, rewritten

_Key = tuple[str, int]


@dataclass(slots=True)
class Operations:
    """What stands for the TensorFlow functions of a graph: `layers` are the new nodes, `today` finds a tensor of the
    old graph in the new one. `names` are the names of layers today by their old ones."""

    held: Mapping[str, Args]
    connections: Connections
    names: Mapping[str, str]
    label: str
    journal: Journal
    layers: list[GraphLayer] = field(default_factory=list)
    results: dict[_Key, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    classes: ClassVar[frozenset[str]] = CLASSES

    def __post_init__(self) -> None:
        self.used = set(self.names.values())
        waiting = [
            (name, at)
            for name, args in self.held.items()
            if args.class_name in CLASSES
            for at in range(len(self.connections.calls[name]))
        ]
        open_ = set(waiting)
        while waiting:
            later = [key for key in waiting if not self._try(key, open_)]
            if len(later) == len(waiting):
                return  # in a circle, which is told where the graph is walked
            waiting = later

    def _try(self, key: _Key, open_: set[_Key]) -> bool:
        """Replaces a call once those that it takes tensors of are; whether it could."""
        name, at = key
        call = self.connections.calls[name][at]
        if any((tensor.layer, tensor.node) in open_ for tensor in call.tensors):
            return False
        found = rewritten(self.held[name], call.replaced(self._argument), self._where(name), self.journal)
        self.results[key] = None if found is None else self._placed(name, *found)
        open_.discard(key)
        return True

    def _where(self, name: str) -> str:
        return f"{self.label}/{name}" if self.label else name

    def today(self, tensor: Tensor) -> Tensor:
        """The tensor of the new graph that a layer takes."""
        found = self._argument(tensor)
        if isinstance(found, Tensor):
            return found
        if isinstance(found, Sizes):
            self.journal.refuse(self._where(tensor.layer), "a shape that layers take as a tensor")
        return Tensor(self.names[tensor.layer], 0, tensor.output)

    def _argument(self, tensor: Tensor) -> Any:
        """What a tensor of the old graph is: one of the new, or sizes that are known."""
        key = (tensor.layer, tensor.node)
        if key not in self.results:
            return replace(tensor, layer=self.names.get(tensor.layer, tensor.layer))
        found = self.results[key]
        return replace(found, output=found.output + tensor.output) if isinstance(found, Tensor) else found

    def _placed(self, name: str, nodes: tuple[Node, ...], result: Result) -> Any:
        """The result of a call, its nodes among the layers of the new graph, the last one under the old name."""
        fresh = list(self._fresh(self.names[name], len(nodes)))

        def outer(value: Any) -> Any:
            if isinstance(value, Inner):
                return Tensor(fresh[value.index], 0, value.output)
            if isinstance(value, list | tuple):
                return type(value)(outer(item) for item in value)
            return value

        for node, own in zip(nodes, fresh, strict=True):
            registered = node.class_name if node.module.startswith("keras.src.ops") else None
            config = {"name": own, **node.config}
            entry = {
                "module": node.module,
                "class_name": node.class_name,
                "config": config,
                "registered_name": registered,
            }
            call = Call(outer(node.args), {key: outer(value) for key, value in node.kwargs.items()})
            self.layers.append(GraphLayer(own, entry, (call,)))
        return outer(result)

    def _fresh(self, name: str, count: int) -> Iterator[str]:
        """Names for the nodes of one call; the old name for the last one of the first call."""
        taken = any(layer.name == name for layer in self.layers)
        at = 0
        for number in range(count):
            new = name
            while taken or number < count - 1:
                at += 1
                new = f"{name}_{at}"
                if new not in self.used:
                    break
            self.used.add(new)
            yield new
