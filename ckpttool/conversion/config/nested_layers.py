"""Layers anywhere in the config of a class of the user's own, from which Keras 3 has to make them, too."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH
from ckpttool.model.class_names import ALIASES
from ckpttool.model.layers.table import WEIGHTLESS
from ckpttool.paths import join_path

LIVE = "--arch package.module:function"
"""The option that gives a conversion a model which only the user's own code can make."""

MAX_NESTING = 4 * MAX_DEPTH
"""The depth of nested objects and lists in a config down to which it is read."""

Rewrite = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(slots=True)
class Nested:
    """Rewrites the entries of the layers in the config of a class, and collects in `classes` the classes of those that
    may have weights."""

    rewrite: Rewrite
    classes: list[str] = field(default_factory=list)

    def value(self, value: Any, depth: int = 0) -> Any:
        """A value of the config with the layers in it rewritten."""
        if depth > MAX_DEPTH:
            return value
        if isinstance(value, list):
            return [self.value(item, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        if not is_layer(value):
            return {key: self.value(item, depth + 1) for key, item in value.items()}
        class_name = value["class_name"]
        if ALIASES.get(class_name, class_name) not in WEIGHTLESS:
            self.classes.append(class_name)
        return self.rewrite(value)


def is_layer(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a config is that of a layer: layers have names, or are models of a bare list; initializers,
    regularizers and constraints, some of which are called as layers are, have none."""
    config = entry.get("config")
    if not isinstance(entry.get("class_name"), str):
        return False
    if not isinstance(config, Mapping):
        return isinstance(config, list) and entry["class_name"] == "Sequential"
    return isinstance(config.get("name"), str) and any(key in config for key in ("layers", "trainable"))


def nested_entries(config: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of all layers in a model, with their labels, the names down to each; none of compile settings."""
    stack = [("", config, 0)]
    while stack:
        label, value, depth = stack.pop()
        if depth > MAX_NESTING:
            continue
        if isinstance(value, list):
            stack.extend((label, item, depth + 1) for item in reversed(value))
        elif isinstance(value, Mapping):
            if depth and is_layer(value) and isinstance(value["config"], Mapping):
                label = join_path(label, value["config"]["name"])
                yield label, value
            inner = [item for key, item in value.items() if key != "compile_config"]
            stack.extend((label, item, depth + 1) for item in reversed(inner))


def unbuilt(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a layer without its `build_config`, so that the class around it builds it."""
    return {key: value for key, value in entry.items() if key != "build_config"}
