"""The TensorFlow functions of one graph: each call is replaced by operations of Keras 3, in the order of the calls."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ckpttool.conversion.config.graphs import Connections, GraphLayer, numbered_names
from ckpttool.conversion.config.layer_order import in_order
from ckpttool.conversion.config.tensor_dtypes import Dtypes
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.tensorflow_ops import CLASSES, Inner, Node, Number, Result, Sizes, rewritten
from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.entries import node_entry
from ckpttool.model.graph import Call, Tensor
from ckpttool.paths import join_path

_Key = tuple[str, int]


@dataclass(slots=True)
class Operations:
    """The operations of Keras 3 that replace the TensorFlow functions of a graph.

    `by_name` are the layers of the old graph by name, `names` the new names of layers by their old ones, `dtypes` the
    dtypes of the tensors of the old graph. `layers` are the new nodes; `new_tensor` maps a tensor of the old graph to
    one of the new graph."""

    by_name: Mapping[str, Args]
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
            for name, args in self.by_name.items()
            if args.class_name in CLASSES
            for at in range(len(self.connections.calls[name]))
        }
        for key in in_order(waiting, self._takes):
            name, at = key
            call = self.connections.calls[name][at].replaced(self._argument)
            replacement = rewritten(self.by_name[name], call, self._where(name), self.journal)
            self.results[key] = None if replacement is None else self._add_nodes(name, *replacement)

    def _takes(self, key: _Key) -> list[_Key]:
        """The calls whose tensors a call takes."""
        name, at = key
        return [(tensor.layer, tensor.node) for tensor in self.connections.calls[name][at].tensors]

    def _where(self, name: str) -> str:
        return join_path(self.label, name)

    def new_tensor(self, tensor: Tensor) -> Tensor:
        """The tensor of the new graph that a layer takes."""
        argument = self._argument(tensor)
        if isinstance(argument, Tensor):
            return argument
        if isinstance(argument, Sizes | Number):
            self.journal.refuse(self._where(tensor.layer), "a shape that layers take as a tensor")
        return Tensor(self.names[tensor.layer], 0, tensor.output)

    def _argument(self, tensor: Tensor) -> Any:
        """The value that replaces a tensor of the old graph: a tensor, or known sizes. Raises ConfigError.

        A tensor of an operation has its new name, any other that of its layer."""
        key = (tensor.layer, tensor.node)
        if key not in self.results:
            if tensor.layer in self.by_name and self.by_name[tensor.layer].class_name in CLASSES:
                raise ConfigError("the result of a function that is never called", where=self._where(tensor.layer))
            return replace(tensor, layer=self.names.get(tensor.layer, tensor.layer), dtype=self.dtypes.of(tensor))
        result = self.results[key]
        if not isinstance(result, Tensor):
            return result
        output, shape = result.output + tensor.output, tensor.shape
        return replace(result, output=output, dtype=self.dtypes.of(tensor), shape=shape)

    def _add_nodes(self, name: str, nodes: tuple[Node, ...], result: Result) -> Any:
        """The result of a call of `name`, after its nodes were added to `layers`.

        The last node gets the name of the old layer, so that its result can be found by it in the new graph."""
        node_names = list(self._node_names(self.names[name], len(nodes)))

        def outer(value: Any) -> Any:
            if isinstance(value, Inner):
                return Tensor(node_names[value.index], 0, value.output)
            if isinstance(value, list | tuple):
                return type(value)(outer(item) for item in value)
            return value

        for node, own in zip(nodes, node_names, strict=True):
            entry = node_entry(node.module, node.class_name, {"name": own, **node.config})
            call = Call(outer(node.args), {key: outer(value) for key, value in node.kwargs.items()})
            self.layers.append(GraphLayer(own, entry, (call,)))
        return outer(result)

    def _node_names(self, name: str, count: int) -> Iterator[str]:
        """Names for the nodes of one call; the old name for the last one of the first call."""
        free = (new for new in numbered_names(name) if new not in self.used)
        for number in range(count):
            own = number == count - 1 and name not in self.placed
            new = name if own else next(free)
            self.used.add(new)
            self.placed.add(new)
            yield new
