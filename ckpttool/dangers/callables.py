"""Classes and functions that a config names to be called, by module and name, wherever they occur."""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.dangers.allowed_names import Standing, class_standing, function_standing, is_old_optimizer, spec_standing
from ckpttool.dangers.danger import Danger, Kind
from ckpttool.dangers.paths import is_hub_layer
from ckpttool.dangers.walk import Node

_LOADERS = frozenset({"TFSMLayer"})
_ELSEWHERE = frozenset({"TorchModuleWrapper"})  # reported by `code`
_DATA = frozenset({"CompositeTensor", "TensorShape", "TypeSpec"})  # values, as Keras 2 wrote them in JSON
_SHOWN = 80


def objects(node: Node) -> Iterator[Danger]:
    """Dangers of objects and functions as Keras 2.12 and later write them, and of objects as all earlier versions
    did."""
    value = node.value
    class_name, module = value.get("class_name"), value.get("module")
    if not isinstance(class_name, str):
        return
    module = module if isinstance(module, str) else None
    if class_name == "function":
        yield from _function(node, module, value.get("config"), value.get("registered_name"))
    elif class_name == "__typespec__":
        name = str(value.get("spec_name"))
        yield from dangers_of(node.place, module, name, spec_standing(module, name))
    elif not class_name.startswith("__") and class_name not in _DATA:
        yield from _class(node, module, class_name, value)


def _function(node: Node, module: str | None, name: Any, registered: Any) -> Iterator[Danger]:
    """Dangers of a function. Keras 2.13 to 2.15 take one named `registered_name` where the module has none of that name
    (`_retrieve_class_or_fn`, keras/src/saving/serialization_lib.py, 2.15)."""
    if isinstance(name, str):
        yield from dangers_of(node.place, module, name, function_standing(module, name))
        if _is_other(registered, name) and function_standing(module, registered) is Standing.UNSAFE:
            yield from dangers_of(node.place, module, registered, Standing.UNSAFE)


def _class(node: Node, module: str | None, class_name: str, value: Mapping[str, Any]) -> Iterator[Danger]:
    registered: Any = value.get("registered_name")
    config = value.get("config")
    if is_hub_layer(class_name) and isinstance(config, Mapping) and isinstance(config.get("handle"), str):
        yield Danger(Kind.SAVED_MODEL, node.place, f"names {class_name[:_SHOWN]} of {config['handle'][:_SHOWN]!r}")
        return
    standing = class_standing(module, class_name, registered)
    if standing is not Standing.KNOWN or class_name in _LOADERS:
        yield from dangers_of(node.place, module, class_name, standing)
    if standing is Standing.KNOWN and module is not None and _is_disguise(registered, class_name):
        yield Danger(Kind.DISGUISED, node.place, f"{class_name}, registered as {registered[:_SHOWN]}")
    elif standing is Standing.FOREIGN and isinstance(registered, str) and _is_other(registered, class_name):
        other = class_standing(module, registered, registered)
        yield from dangers_of(node.place, module, registered, other if other is Standing.UNSAFE else Standing.KNOWN)


def _is_other(registered: Any, name: str) -> bool:
    """Whether Keras may find another class or function by the name under which one is registered."""
    return isinstance(registered, str) and registered.isidentifier() and registered not in (name, "function")


def dangers_of(place: str, module: str | None, name: str, standing: Standing) -> Iterator[Danger]:
    """The danger of a name of this standing, none where it is known to be harmless."""
    called = f"{module}.{name}"[:_SHOWN] if module else name[:_SHOWN]
    if name in _LOADERS:
        yield Danger(Kind.SAVED_MODEL, place, f"names {called}")
    elif name in _ELSEWHERE:
        return
    elif standing is Standing.UNSAFE:
        yield Danger(Kind.UNSAFE_CALLABLE, place, f"names {called}")
    elif standing is Standing.FOREIGN:
        yield Danger(Kind.CUSTOM_OBJECT, place, called)


def _is_disguise(registered: Any, class_name: str) -> bool:
    """Whether a `registered_name` differs from the name of Keras's own class; Keras leaves it out or equal
    (`_assert_no_registered_name_for_builtin`, keras/src/saving/serialization_lib.py, 3.15)."""
    return isinstance(registered, str) and registered not in ("", class_name) and not is_old_optimizer(registered)


def old_functions(node: Node) -> Iterator[Danger]:
    """Dangers of functions as Lambda layers of Keras 1 and 2 name them: `function`, `function_type`, `module`."""
    value = node.value
    for type_key, kind in value.items():
        key = type_key.removesuffix("_type")
        if kind == "function" and key != type_key and isinstance(name := value.get(key), str):
            module = value.get(f"{key}_module", value.get("module"))
            module = module if isinstance(module, str) else None
            yield from dangers_of(node.at(key), module, name, function_standing(module, name))


JUDGES = (objects, old_functions)
