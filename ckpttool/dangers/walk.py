"""Walk over every object in a config, however deep, with its place; texts that are JSON are parsed and walked too."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ckpttool.errors import CorruptFileError, UnsafeFileError
from ckpttool.io import json_text

_HOLDERS = (dict, list)
JSON_STARTS = ("{", "[", " ", "\n")  # how a text begins that may be JSON
_SHOWN_PARTS = 12
_SHOWN_CHARS = 60


class Node(NamedTuple):
    """An object or a list in a config: its value, its key, and its parent."""

    value: Any  # a dict or a list
    key: str | int
    parent: "Node | None"

    @property
    def place(self) -> str:
        """The path of the node: `config.layers[2].config.activation`, shortened in the middle where it is long."""
        parts, node = list[str](), self
        while node.parent is not None:
            parts.append(f"[{node.key}]" if isinstance(node.key, int) else f".{node.key[:_SHOWN_CHARS]}")
            node = node.parent
        parts.append(str(node.key))
        parts.reverse()
        if len(parts) > _SHOWN_PARTS:
            parts[_SHOWN_PARTS // 2 : -_SHOWN_PARTS // 2] = [f"...({len(parts) - _SHOWN_PARTS} more)..."]
        return "".join(parts)

    def is_within(self, class_name: str) -> bool:
        """Whether the node is directly in the config of an object of this class."""
        owner = self.parent.parent if self.parent else None
        return owner is not None and isinstance(owner.value, dict) and owner.value.get("class_name") == class_name

    def at(self, key: str) -> str:
        """The path of the value under a key of this node."""
        return f"{self.place}.{key[:_SHOWN_CHARS]}"

    def children(self) -> Iterable[tuple[str | int, Any]]:
        """The values in the node, by key or number."""
        return self.value.items() if isinstance(self.value, dict) else enumerate(self.value)


def walk(value: Any, name: str) -> Iterator[Node]:
    """All objects and lists in a value, in no order that matters; without recursion, so that depth costs nothing."""
    stack = [Node(value, name, None)] if isinstance(value, _HOLDERS) else []
    while stack:
        node = stack.pop()
        yield node
        for key, child in node.children():
            if isinstance(child, str) and child.startswith(JSON_STARTS):
                child = _parsed(child)
            if isinstance(child, _HOLDERS):
                stack.append(Node(child, key, node))


def _parsed(text: str) -> Any:
    try:
        return json_in(text)
    except UnsafeFileError:  # reported by `checks.safety.sizes.texts`
        return None


def json_in(text: str) -> Any:
    """The object or list that a text with a start of JSON holds, None where it is none. Raises UnsafeFileError where it
    is too deep."""
    if '"' not in text and len(text) < json_text.MAX_DEPTH:
        return None
    try:
        return json_text.parse(text, "a text in a config").value
    except CorruptFileError:
        return None
