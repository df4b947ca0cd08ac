"""The object graph of a TensorFlow checkpoint: its objects, the names of their children, and the tensors of each.

The same variable has many names: its key in the checkpoint is only the shortest of them. So the graph says what a
tensor is, never its key. Graphs have cycles and any number of paths; a walk visits every node once.
(tensorflow/core/protobuf/trackable_object_graph.proto; `graph_view.py`, tensorflow/python/checkpoint, 2.15.)
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ckpttool.escape import brief

MAX_DEPTH = 200  # names of a path that are followed

VALUE = "VARIABLE_VALUE"
CONFIG = "OBJECT_CONFIG_JSON"
"""The names under which a variable has its value and, in TensorFlow 1.13 to 2.0, a layer of Keras its config."""

TRAINED = "_trainable_variables"
"""The list of the weights that an optimizer of Keras 3 trains: some, as those of cells in a list, are nowhere else."""

EXPORTED = "_all_variables"
"""The list of all variables of an export by Keras 3, which stores every weight twice and has no layers."""

Path = tuple[str, ...]


class Attribute(NamedTuple):
    """A tensor of an object: its name in the object (`VARIABLE_VALUE`), the name of the variable itself
    (`dense/kernel`), and its key in the checkpoint."""

    name: str
    full_name: str
    key: str


class SlotVariable(NamedTuple):
    """An optimizer's state for a variable, by the numbers of both nodes; `slot` is its name: `m`, `v`, `momentum`."""

    variable: int
    slot: str
    node: int


class Node(NamedTuple):
    """An object: its children by name, its tensors, and its slot variables if it is an optimizer."""

    children: tuple[tuple[str, int], ...] = ()
    attributes: tuple[Attribute, ...] = ()
    slots: tuple[SlotVariable, ...] = ()

    def __repr__(self) -> str:
        return brief(self)

    def child(self, name: str) -> int | None:
        """The number of the child under a name, None where there is none."""
        return next((node for own, node in self.children if own == name), None)

    def key(self, attribute: str = VALUE) -> str:
        """The key in the checkpoint of a tensor of the object, empty where it has no such tensor."""
        return next((tensor.key for tensor in self.attributes if tensor.name == attribute), "")


@dataclass(frozen=True)
class ObjectGraph:
    """The objects of a checkpoint by number; number 0 is the object that was saved."""

    nodes: tuple[Node, ...]

    __repr__ = brief

    def reached(self, *starts: int, passes: Callable[[int, str], bool] = lambda node, name: True) -> dict[int, Path]:
        """The nodes that are reached from some nodes, nearest first, each with its shortest path.

        `passes` says whether the walk goes on from a node to its child under a name.
        """
        paths: dict[int, Path] = {start: () for start in starts if start < len(self.nodes)}
        waiting = deque(paths)
        while waiting:
            number = waiting.popleft()
            path = paths[number]
            if len(path) == MAX_DEPTH:
                continue
            for name, child in self.nodes[number].children:
                if child not in paths and passes(number, name):
                    paths[child] = (*path, name)
                    waiting.append(child)
        return paths

    @cached_property
    def paths(self) -> Mapping[int, Path]:
        """The shortest path to every node that is a child of another; slot variables are no children."""
        return self.reached(0)

    @cached_property
    def owners(self) -> Mapping[str, tuple[int, Attribute]]:
        """The node and the attribute that each key of the checkpoint belongs to; the first where several say so."""
        owners: dict[str, tuple[int, Attribute]] = {}
        for number, node in enumerate(self.nodes):
            for attribute in node.attributes:
                owners.setdefault(attribute.key, (number, attribute))
        return owners

    def at(self, path: Iterable[str], start: int = 0) -> int | None:
        """The node at a path of names, None where there is none."""
        number: int | None = start
        for name in path:
            if number is None:
                return None
            number = self.nodes[number].child(name)
        return number

    def slot_variables(self) -> Iterator[tuple[int, SlotVariable]]:
        """Every slot variable with the node of its optimizer."""
        for number, node in enumerate(self.nodes):
            yield from ((number, slot) for slot in node.slots)
