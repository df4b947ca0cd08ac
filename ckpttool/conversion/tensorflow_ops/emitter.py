"""Nodes of `keras.ops` in the making: what takes the place of one call of a TensorFlow function."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class NoEquivalent(Exception):
    """A call has no exact form in Keras 3, and why."""


@dataclass(frozen=True, slots=True)
class Inner:
    """An output of another node in place of the same call: which node, and which of its outputs."""

    index: int
    output: int = 0


class Sizes(NamedTuple):
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


def typed(value: Any, dtype: str | None) -> Any:
    """A number or a list of numbers that TensorFlow takes as an array of a dtype; anything else as it is."""
    leaves = list(_leaves([value]))
    if dtype is None or not leaves or not all(isinstance(item, bool | int | float) for item in leaves):
        return value
    if not isinstance(value, list) and dtype in _WEAK:  # of which Keras makes the same
        return value
    if dtype.startswith("uint") and any(item < 0 for item in leaves):
        raise NoEquivalent(f"a negative number as {dtype}")
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


_WEAK = frozenset({"bool", "float32", "int32", "int64"})


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
    """The nodes made so far, and what was assumed."""

    nodes: list[Node] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)

    def op(self, place: str, *args: Any, **config: Any) -> Inner:
        """The output of an operation such as `numpy.Add`, called with `args`, lists of numbers among them as arrays."""
        module, _, class_name = place.partition(".")
        self.nodes.append(Node(f"keras.src.ops.{module}", class_name, config, tuple(map(constant, args))))
        return Inner(len(self.nodes) - 1)

    def getitem(self, x: Any, key: list[Any]) -> Inner:
        """The output of indexing; Keras writes a tuple of keys as a list, and reads no tuple."""
        self.nodes.append(Node("keras.src.ops.numpy", "GetItem", {}, (x, key)))
        return Inner(len(self.nodes) - 1)

    def layer(self, class_name: str, x: Any, dtype: str | None, **config: Any) -> Inner:
        """The output of a layer that takes a tensor of this dtype and gives one."""
        config |= {"dtype": dtype} if dtype in _OTHER_FLOATS else {}
        self.nodes.append(Node("keras.layers", class_name, config, (x,)))
        return Inner(len(self.nodes) - 1)


_OTHER_FLOATS = frozenset({"bfloat16", "float16", "float64"})  # which layers would cast to float32

Result = Inner | Sizes | Any
"""What a call gives: a node's output, sizes, or a tensor of the old graph that it merely hands on."""
