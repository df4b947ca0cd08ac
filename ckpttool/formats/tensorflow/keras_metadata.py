"""The config of a Keras model in the files of TensorFlow, from the places in which each version stored it.

tf.keras of TensorFlow 2.5 to 2.15 wrote `keras_metadata.pb`, 2.0 to 2.4 the same JSON into `saved_model.pb`,
`export_saved_model` of 1.14 to 2.0 a file among the assets, and checkpoints of 1.13 to 2.0 have it among their tensors.
(keras/saving/legacy/saved_model/save.py, model_serialization.py, json_utils.py, 2.15.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ckpttool.checkpoint import Producer
from ckpttool.formats.builder import Parts

if TYPE_CHECKING:
    from ckpttool.saved_model import KerasObject

_CLASSES = {"_tf_keras_sequential": "Sequential", "_tf_keras_network": "Functional"}
"""The base class of a model by the identifier of its object."""

_LISTS = frozenset({"__tuple__", "TensorShape"})
_KNOWN = frozenset({"Sequential", "Functional", "Model"})


def add_config(parts: Parts, objects: list[KerasObject], place: str) -> str:
    """Add the config and the compile settings of the root object; the place where they are, empty where there are
    none.
    """
    root = next((node for node in objects if node.number == 0 and node.metadata), None)
    value = parts.json(root.metadata, place) if root is not None else None
    if root is None or not isinstance(value, dict):
        return ""
    add_producer(parts, value)
    plain = unwrapped(value)
    config, class_name = plain.get("config"), plain.get("class_name")
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        if isinstance(class_name, str):
            parts.notes.append(f"the model is of an own class, {class_name[:100]}, whose config lists no layers")
        return ""
    known = class_name if class_name in _KNOWN else _CLASSES.get(root.identifier, class_name)
    parts.config = {"class_name": known, "config": config}
    settings = plain.get("training_config")
    parts.training_config = settings if isinstance(settings, dict) else None
    return place


def add_whole_config(parts: Parts, raw: bytes, place: str) -> str:
    """Add a config as `model.to_json` gives it; its place, empty where it is none."""
    value = parts.json(raw, place)
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict | list):
        return ""
    add_producer(parts, value)
    parts.config = {"class_name": value.get("class_name"), "config": value["config"]}
    return place


def add_producer(parts: Parts, value: dict[str, Any]) -> None:
    """Add the version of Keras that wrote a config, where it is stored."""
    version, backend = value.get("keras_version"), value.get("backend")
    if isinstance(version, str):
        parts.producer = Producer(
            keras_version=version,
            backend=backend if isinstance(backend, str) else None,
            tensorflow_version=parts.producer.tensorflow_version,
        )


def name_of_model(config: Any) -> str:
    """The name of the model in its config, empty where there is none."""
    inner = config.get("config") if isinstance(config, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""


def unwrapped(value: Any) -> Any:
    """A value of JSON with the tuples, shapes and bytes in it that Keras wrapped into objects, as plain lists and
    texts.
    """
    root = [value]
    waiting: list[tuple[Any, Any]] = [(root, 0)]
    while waiting:
        holder, key = waiting.pop()
        plain = holder[key] = _plain(holder[key])
        if isinstance(plain, dict):
            holder[key] = copied = dict(plain)
            waiting.extend((copied, name) for name in copied)
        elif isinstance(plain, list):
            holder[key] = items = list(plain)
            waiting.extend((items, number) for number in range(len(items)))
    return root[0]


def _plain(value: Any) -> Any:
    """The content of a wrapper; any other value as it is."""
    while isinstance(value, dict):
        kind = value.get("class_name")
        if kind in _LISTS and "items" in value and len(value) == 2:
            value = value["items"]
        elif kind == "__bytes__" and isinstance(value.get("value"), str) and len(value) == 2:
            value = value["value"]
        else:
            break
    return value
