"""The emitter of nodes of `keras.ops` that replace one call of a TensorFlow function."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class NoEquivalent(Exception):
    """A call has no exact equivalent in Keras 3; the message says why."""


@dataclass(frozen=True, slots=True)
class Inner:
    """An output of another node that replaces the same call: the index of the node, and that of its output."""

    index: int
    output: int = 0


# No named tuple: walks over the arguments of calls go into tuples, and must not go into this.
@dataclass(frozen=True, slots=True)
class Sizes:
    """A shape that the graph computes, or one of its sizes (`alone`). Sizes that are not known before the graph runs,
    such as that of the batch, are None; `batch_of` is a tensor whose batch has the first of them, where that is known.
    """

    sizes: tuple[int | None, ...]
    alone: bool = False
    batch_of: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A floating-point number that follows from known sizes, such as the root of the size of an axis, in its dtype."""

    value: float
    dtype: str


@dataclass(frozen=True, slots=True)
class Node:
    """An operation or layer: its module, class and arguments, and its call. `args` and `kwargs` have tensors of the old
    graph, `Inner`s and plain values in them."""

    module: str
    class_name: str
    config: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def typed(value: Any, dtype: str | None) -> Any:
    """A number or a list of numbers as an array of the dtype that TensorFlow uses; other values unchanged."""
    leaves = list(_leaves([value]))
    if dtype is None or not leaves or not all(isinstance(item, bool | int | float) for item in leaves):
        return value
    if not isinstance(value, list) and dtype in _WEAK:  # Keras converts a plain number to the same dtype
        return value
    if dtype.startswith("uint") and any(item < 0 for item in leaves):
        raise NoEquivalent(f"a negative number as {dtype}")
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


_WEAK = frozenset({"bool", "float32", "int32", "int64"})


def constant(value: Any) -> Any:
    """A list of numbers as an array, the form of constants in Keras 3; other values unchanged."""
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
    """The nodes so far, and the assumptions that they rest on."""

    nodes: list[Node] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)

    def op(self, operation: str, *args: Any, **config: Any) -> Inner:
        """The output of an operation such as "numpy.Add", called with `args`, lists of numbers among them as arrays.
        Raises NoEquivalent where one of them is a shape."""
        if any(isinstance(value, Number | Sizes) for value in _leaves([*args, *config.values()])):
            raise NoEquivalent("arithmetic with a shape")
        module, _, class_name = operation.partition(".")
        self.nodes.append(Node(f"keras.src.ops.{module}", class_name, config, tuple(map(constant, args))))
        return Inner(len(self.nodes) - 1)

    def getitem(self, x: Any, key: list[Any]) -> Inner:
        """The output of indexing; Keras writes a tuple of keys as a list, and reads no tuple."""
        self.nodes.append(Node("keras.src.ops.numpy", "GetItem", {}, (x, key)))
        return Inner(len(self.nodes) - 1)

    def layer(self, class_name: str, x: Any, dtype: str | None, **config: Any) -> Inner:
        """The output of a layer for a tensor of this dtype, in the same dtype."""
        config |= {"dtype": dtype} if dtype in _OTHER_FLOATS else {}
        self.nodes.append(Node("keras.layers", class_name, config, (x,)))
        return Inner(len(self.nodes) - 1)


_OTHER_FLOATS = frozenset({"bfloat16", "float16", "float64"})  # which layers would cast to float32

Result = Inner | Sizes | Number | Any
"""The result of a call: a node's output, sizes, a number from them, or a tensor of the old graph that it returns
unchanged."""
