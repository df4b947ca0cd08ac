"""Nodes of `keras.ops` in the making: what takes the place of one call of a TensorFlow function."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class NoEquivalent(Exception):
    """A call has no exact form in Keras 3, and why."""


@dataclass(frozen=True, slots=True)
class Inner:
    """An output of another node in place of the same call: which node, and which of its outputs."""

    index: int
    output: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """A shape, or one of its sizes (`alone`), that the graph computes: what is known of it before it runs, None for a
    size that is not known, such as that of the batch."""

    sizes: tuple[int | None, ...]
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One operation or layer: its module, class and arguments, and its call. Leaves of `args` and `kwargs` are tensors
    of the old graph, `Inner`s and plain values."""

    module: str
    class_name: str
    config: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def constant(value: Any) -> Any:
    """A list of numbers as an array, as Keras 3 has constants; anything else as it is."""
    if not isinstance(value, list) or not value:
        return value
    kinds = {type(item) for item in _leaves(value)}
    if not kinds <= {bool, int, float}:
        return value
    dtype = "float32" if float in kinds else "int32" if int in kinds else "bool"
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


def _leaves(value: Any) -> Iterator[Any]:
    for item in value:
        if isinstance(item, list):
            yield from _leaves(item)
        else:
            yield item


@dataclass(slots=True)
class Emitter:
    """The nodes made so far."""

    nodes: list[Node] = field(default_factory=list)

    def op(self, place: str, *args: Any, **config: Any) -> Inner:
        """The output of an operation such as `numpy.Add`, called with `args`, lists of numbers among them as arrays."""
        module, _, class_name = place.partition(".")
        self.nodes.append(Node(f"keras.src.ops.{module}", class_name, config, tuple(map(constant, args))))
        return Inner(len(self.nodes) - 1)

    def getitem(self, x: Any, key: list[Any]) -> Inner:
        """The output of indexing; Keras writes a tuple of keys as a list, and reads no tuple."""
        self.nodes.append(Node("keras.src.ops.numpy", "GetItem", {}, (x, key)))
        return Inner(len(self.nodes) - 1)

    def layer(self, class_name: str, *args: Any, **config: Any) -> Inner:
        """The output of a layer."""
        self.nodes.append(Node("keras.layers", class_name, config, args))
        return Inner(len(self.nodes) - 1)


Result = Inner | Sizes | Any
"""What a call gives: a node's output, sizes, or a tensor of the old graph that it merely hands on."""
