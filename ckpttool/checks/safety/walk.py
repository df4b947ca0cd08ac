"""Every object in a config, however deep, each with the place where it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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


def walk(value: Any, name: str) -> Iterator[Node]:
    """All objects and lists in a value, in no order that matters; without recursion, so that depth costs nothing."""
    stack = [Node(value, name, None)]
    while stack:
        node = stack.pop()
        yield node
        inside = node.value.items() if isinstance(node.value, Mapping) else enumerate(node.value)
        stack += [Node(child, key, node) for key, child in inside if isinstance(child, dict | list)]
