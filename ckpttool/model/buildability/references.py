"""Arguments that refer to objects by name or entry: `keras.activations.get` and its like (Keras 3.15)."""

from collections.abc import Callable, Mapping
from typing import Any

from ckpttool.io import scalars
from ckpttool.model.buildability import names
from ckpttool.model.buildability.context import Context, Refused, shown
from ckpttool.model.buildability.deserialization import deserialize, deserialize_named
from ckpttool.model.buildability.predicates import policy_name
from ckpttool.model.buildability.removed_classes import is_removed_class
from ckpttool.model.buildability.table import row_of
from ckpttool.model.buildability.values import Function, Layer, Object, Own
from ckpttool.model.entries import is_keras

Refuse = Callable[[str], Refused]
_SINGULAR = {
    "activations": "an activation",
    "constraints": "a constraint",
    "initializers": "an initializer",
    "quantizers": "a quantizer",
    "regularizers": "a regularizer",
}
_MODES = ("int8", "float8", "int4", "gptq", "awq")


def _get(kind: str) -> Callable[[Any, Refuse, Context], Any]:
    """`get` of a kind whose entries are looked up by name first."""

    def get(value: Any, refuse: Refuse, context: Context) -> Any:
        if value is None:
            return None
        if isinstance(value, str) and kind == "initializers":
            value = {"class_name": value, "config": {}}
        target = _named(kind, value, context) if isinstance(value, str) else _of_entry(kind, value, context)
        return _called(kind, target, value, refuse, context)

    return get


def _named(kind: str, value: str, context: Context) -> Any:
    """The object of a name; a name that Keras does not know may be that of the user's own function in a legacy file."""
    place = names.named(kind, value)
    if place is None:
        return context.own(value) if context.legacy and not (names.is_known(value) or is_removed_class(value)) else None
    return Function(place) if names.is_function(place) else deserialize_named(kind, value, context)


def _of_entry(kind: str, value: Any, context: Context) -> Any:
    if not isinstance(value, dict):
        return value
    if kind == "activations":
        return deserialize(value, context)
    target = deserialize_named(kind, value, context)
    if not isinstance(target, str):
        return target
    return _own(target, value, context)


def _own(name: str, entry: Mapping[str, Any], context: Context) -> Any:
    """An own object, of which an entry says that it is in a module outside Keras or in none."""
    module, registered = entry.get("module"), entry.get("registered_name")
    if is_keras(module) and not (isinstance(registered, str) and ">" in registered):
        return name
    if names.is_known(name) or is_removed_class(name) or name.startswith("__"):
        return name
    is_function = entry.get("class_name") == "function"  # which Keras looks up by its own name
    return context.own(name if is_function or not isinstance(registered, str) else registered, module)


def _called(kind: str, target: Any, value: Any, refuse: Refuse, context: Context) -> Any:
    if is_callable(target):
        return target
    known = ", which Keras 3 does not have" if isinstance(value, str | dict) else ""
    raise refuse(f"it is {_name(value)}{known}; Keras takes {_SINGULAR.get(kind, 'a function')}")


def _name(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        config = value.get("config")
        named = config if value["class_name"] == "function" and isinstance(config, str) else value["class_name"]
        return str(named)
    return shown(value)


def is_callable(target: Any) -> bool:
    """Whether something can be called in Python."""
    if isinstance(target, Object):
        row = row_of(target.place)
        return row is not None and row.callable
    return isinstance(target, Function | Own | Layer)


def _get_callable(value: Any, refuse: Refuse, context: Context) -> Any:
    """A function, or an object that is used as one."""
    target = deserialize(value, context)
    if not is_callable(target):
        raise refuse(f"it is {shown(value)}; Keras takes a function")
    return target


def is_kind(value: Any, kind: str) -> bool:
    """Whether something is an object of a kind, such as `schedule`."""
    row = row_of(value.place) if isinstance(value, Object) else None
    return row is not None and row.kind == kind


def policy(value: Any, refuse: Refuse, context: Context) -> Any:
    """A dtype policy (`dtype_policies.get`)."""
    if isinstance(value, dict):
        target = deserialize_named("dtype_policies", value, context)
        if is_kind(target, "policy"):
            return target
        raise refuse(f"it is {_name(value)}, which is no dtype policy of Keras 3")
    if isinstance(value, str) and value.startswith(_MODES) and not is_quantized(value):
        raise refuse(f"it is {shown(value)}, which is no dtype policy of Keras 3")
    if not (isinstance(value, str) and value.startswith(_MODES)) and not policy_name(value):
        raise refuse(f"it is {shown(value)}; Keras takes the name of a dtype or a dtype policy")
    return value


def is_quantized(name: str) -> bool:
    """Whether a name is that of a policy of quantization, or of a dtype that begins like one."""
    if policy_name(name):
        return True
    mode, parted, source = name.partition("_from_")
    if not parted or not policy_name(source):
        return False
    kind, *numbers = mode.split("/")
    if kind == "int4":
        return numbers == [] or (len(numbers) == 1 and _is_group(numbers[0]))
    if kind in ("gptq", "awq"):
        widths = ("2", "3", "4", "8") if kind == "gptq" else ("4",)
        return len(numbers) == 2 and numbers[0] in widths and _is_group(numbers[1])
    return (
        kind in ("int8", "float8") and not numbers and not (kind == "int8" and source in ("float16", "mixed_float16"))
    )


def _is_group(text: str) -> bool:
    return text == "-1" or (scalars.digits(text) or 0) > 0


GET: Mapping[str, Callable[..., Any]] = {
    **{kind: _get(kind) for kind in ("activations", "constraints", "initializers", "quantizers", "regularizers")},
    "callable": _get_callable,
    "is": is_kind,
}
