"""NumPy values in configs of Keras 2: `{"type": "ndarray", "value": 0.3}`, which stands for the value.

Keras 2.0.0 to 2.1.6 and tf.keras 1.x write every array among the arguments so (`get_json_type` of `save_model`,
keras/models.py, 2.1.6), later versions only its items; some files have the dtype beside them.
"""

from collections.abc import Mapping
from typing import Any

_MAX_DEPTH = 400  # of values in a config, whose layers are nested far less
_KEYS = frozenset({"type", "value", "dtype"})


def plain(value: Any, depth: int = 0) -> Any:
    """The config with arrays replaced by their values; the same object where it has none."""
    if value is None or isinstance(value, (str, int, float)) or depth > _MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        if is_array(value):
            return plain(value["value"], depth + 1)
        items = {key: plain(item, depth + 1) for key, item in value.items()}
        return items if any(items[key] is not item for key, item in value.items()) else value
    if isinstance(value, list):
        below = [plain(item, depth + 1) for item in value]
        return below if any(item is not other for item, other in zip(below, value, strict=True)) else value
    return value


def is_array(value: Any) -> bool:
    """Whether a value is an array as Keras 2 wrote one."""
    return isinstance(value, Mapping) and value.get("type") == "ndarray" and "value" in value and value.keys() <= _KEYS


def keras3_value(value: Any) -> Any:
    """An array of Keras 2 as Keras 3 writes arrays; any other value with its arrays replaced by their values. A missing
    dtype is the one that NumPy gives to the value (`Lambda.from_config`, keras/layers/core.py, 2.0.9)."""
    if not is_array(value):
        return plain(value)
    items, dtype_name = plain(value["value"]), value.get("dtype")
    dtype = dtype_name if isinstance(dtype_name, str) else _dtype(items)
    return {"class_name": "__numpy__", "config": {"value": items, "dtype": dtype}}


def _dtype(items: Any) -> str:
    """The dtype that NumPy gives to numbers in nested lists."""
    kinds, stack = set[type](), [items]
    while stack:
        item = stack.pop()
        kinds.add(type(item))
        stack.extend(item if isinstance(item, list) else ())
    return "float64" if float in kinds else "int64" if int in kinds else "bool" if bool in kinds else "float64"
