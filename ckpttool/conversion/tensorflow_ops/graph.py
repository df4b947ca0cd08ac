"""The TensorFlow functions of one graph, each call replaced by operations of Keras 3 in the order in which they run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ckpttool.conversion.config.graphs import Connections, GraphLayer, numbered_names
from ckpttool.conversion.config.layer_order import in_order
from ckpttool.conversion.config.tensor_dtypes import Dtypes
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.tensorflow_ops import CLASSES, Inner, Node, Result, Sizes, rewritten
from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.paths import join_path

_Key = tuple[str, int]


@dataclass(slots=True)
class Operations:
    """What stands for the TensorFlow functions of a graph: `layers` are the new nodes, `today` finds a tensor of the
    old graph in the new one. `names` are the names of layers today by their old ones, `dtypes` those of the tensors of
    the old graph."""

    held: Mapping[str, Args]
    connections: Connections
    names: Mapping[str, str]
    label: str
    journal: Journal
    dtypes: Dtypes
    layers: list[GraphLayer] = field(default_factory=list)
    results: dict[_Key, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    placed: set[str] = field(default_factory=set)

    classes: ClassVar[frozenset[str]] = CLASSES

    def __post_init__(self) -> None:
        self.used = set(self.names.values())
        waiting = {
            (name, at): None
            for name, args in self.held.items()
            if args.class_name in CLASSES
            for at in range(len(self.connections.calls[name]))
        }
        for key in in_order(waiting, self._takes):
            name, at = key
            call = self.connections.calls[name][at].replaced(self._argument)
            found = rewritten(self.held[name], call, self._where(name), self.journal)
            self.results[key] = None if found is None else self._placed(name, *found)

    def _takes(self, key: _Key) -> list[_Key]:
        """The calls whose tensors a call takes."""
        name, at = key
        return [(tensor.layer, tensor.node) for tensor in self.connections.calls[name][at].tensors]

    def _where(self, name: str) -> str:
        return join_path(self.label, name)

    def today(self, tensor: Tensor) -> Tensor:
        """The tensor of the new graph that a layer takes."""
        found = self._argument(tensor)
        if isinstance(found, Tensor):
            return found
        if isinstance(found, Sizes):
            self.journal.refuse(self._where(tensor.layer), "a shape that layers take as a tensor")
        return Tensor(self.names[tensor.layer], 0, tensor.output)

    def _argument(self, tensor: Tensor) -> Any:
        """What a tensor of the old graph is: one of the new, or sizes that are known. Raises ConfigError."""
        key = (tensor.layer, tensor.node)
        if key not in self.results:
            if tensor.layer in self.held and self.held[tensor.layer].class_name in CLASSES:
                raise ConfigError("the result of a function that is never called", where=self._where(tensor.layer))
            return replace(tensor, layer=self.names.get(tensor.layer, tensor.layer), dtype=self.dtypes.of(tensor))
        found = self.results[key]
        if not isinstance(found, Tensor):
            return found
        return replace(found, output=found.output + tensor.output, dtype=self.dtypes.of(tensor))

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
        free = (new for new in numbered_names(name) if new not in self.used)
        for number in range(count):
            own = number == count - 1 and name not in self.placed
            new = name if own else next(free)
            self.used.add(new)
            self.placed.add(new)
            yield new
