"""Every object in a config, however deep, each with the place where it stands; texts that are JSON are looked into."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ckpttool.errors import CorruptFileError, UnsafeFileError
from ckpttool.io import json_text

_SHOWN_PARTS = 12
_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Node:
    """An object or a list in a config: its value, the key it stands under, and what it stands in."""

    value: Any
    key: str | int
    parent: "Node | None"

    @property
    def place(self) -> str:
        """Where it stands: `config.layers[2].config.activation`, cut in the middle where that is long."""
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
        """Whether it stands directly in the config of an object of this class."""
        holder = self.parent.parent if self.parent else None
        return holder is not None and isinstance(holder.value, dict) and holder.value.get("class_name") == class_name

    def at(self, key: str) -> str:
        """The place of a value in this object."""
        return f"{self.place}.{key[:_SHOWN_CHARS]}"

    def children(self) -> Iterator[tuple[str | int, Any]]:
        """What stands in it, by key or number."""
        return iter(self.value.items()) if isinstance(self.value, Mapping) else iter(enumerate(self.value))


def walk(value: Any, name: str) -> Iterator[Node]:
    """All objects and lists in a value, in no order that matters; without recursion, so that depth costs nothing."""
    stack = [Node(value, name, None)] if isinstance(value, dict | list) else []
    while stack:
        node = stack.pop()
        yield node
        for key, child in node.children():
            if isinstance(child, str):
                child = _readable(child)
            if isinstance(child, dict | list):
                stack.append(Node(child, key, node))


def _readable(text: str) -> Any:
    try:
        return json_in(text)
    except UnsafeFileError:  # told by `checks.safety.sizes.texts`
        return None


def json_in(text: str) -> Any:
    """The object or list that a text is in JSON, None where it is none; raises UnsafeFileError for what is too deep."""
    if not text.startswith(("{", "[", " ", "\n")) or ('"' not in text and len(text) < json_text.MAX_DEPTH):
        return None
    try:
        return json_text.parse(text, "a text in a config").value
    except CorruptFileError:
        return None
