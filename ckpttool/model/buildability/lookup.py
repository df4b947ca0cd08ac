"""Finding the class or function that a config names (`_retrieve_class_or_fn`, keras/src/saving/serialization_lib.py,
3.15), and the class that a short name or a legacy config names."""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.buildability import names
from ckpttool.model.buildability.context import Context, Refused, shown
from ckpttool.model.buildability.removed_classes import is_removed_class, is_removed_layer
from ckpttool.model.buildability.result import Obstacle
from ckpttool.model.buildability.table import Row, row_of
from ckpttool.model.buildability.values import Function, Own
from ckpttool.model.entries import is_keras_3, is_old_keras

# Public functions that read files or change settings (`NON_MODELING_APIS`).
_FORBIDDEN = frozenset({
    *("keras.backend.clear_session", "keras.config.enable_unsafe_deserialization", "keras.models.load_model"),
    *("keras.models.model_from_json", "keras.models.save_model", "keras.preprocessing.image_dataset_from_directory"),
    *("keras.preprocessing.image.load_img", "keras.preprocessing.image.save_img"),
    *("keras.preprocessing.text_dataset_from_directory", "keras.saving.deserialize_keras_object"),
    *("keras.saving.load_model", "keras.saving.load_weights", "keras.saving.register_keras_serializable"),
    *("keras.saving.save_model", "keras.saving.save_weights", "keras.saving.serialize_keras_object"),
    *("keras.utils.audio_dataset_from_directory", "keras.utils.clear_session", "keras.utils.get_file"),
    *("keras.utils.deserialize_keras_object", "keras.utils.image_dataset_from_directory", "keras.utils.load_img"),
    *("keras.utils.register_keras_serializable", "keras.utils.save_img", "keras.utils.serialize_keras_object"),
    "keras.utils.text_dataset_from_directory",
})  # fmt: skip

_TORCH_OPTIMIZERS = "keras.src.backend.torch.optimizers.torch_"


def find(entry: Mapping[str, Any], name: Any, context: Context) -> str | Function | Own:
    """The place of the class that an entry of a config names, its function, or an own one.

    Raises Refused where Keras finds none and it is not the user's.
    """
    module, is_function = entry.get("module"), entry.get("class_name") == "function"
    registered = entry.get("registered_name", entry.get("class_name"))
    if not isinstance(name, str) or isinstance(registered, list | dict):
        raise context.refused(name, "class_name", f"the name of a class is {shown(name)}; Keras takes a string")
    if not module:
        return _without_module(entry, name, context)
    if not isinstance(module, str):
        raise context.refused(name, "module", f"the module is {shown(module)}; Keras takes a string")
    place = _public(entry, module, name, is_function, context)
    if place is None and is_keras_3(module):
        place = names.saveable(module, name)
        if place is None:
            raise _of_torch(module, name, context) or _not_in_keras(entry, module, name, context)
    if place is None:
        return _outside(entry, module, name, context)
    return Function(place) if names.is_function(place) else place


def _public(entry: Mapping[str, Any], module: str, name: str, is_function: bool, context: Context) -> str | None:
    """The place of a public name of Keras, which must not have a registered name as well."""
    place = None
    if is_keras_3(module):
        if f"{module}.{name}" in _FORBIDDEN:
            raise context.refused(name, "module", f"{module}.{name} is no part of a model, and Keras refuses it")
        place = names.public(module, name)
    if place is None and is_function and module == "builtins":
        place = names.builtin_function(name)
    registered = entry.get("registered_name")
    if place is not None and registered and registered not in (name, entry.get("class_name")):
        why = f"registered_name is {shown(registered)}, where {module}.{name} is Keras's own and has none"
        raise context.refused(name, "registered_name", why)
    return place


def _without_module(entry: Mapping[str, Any], name: str, context: Context) -> Own:
    """An own object, where Keras has none of that name; Keras's own classes are not found without their module. A
    function whose module is null it looks up among the user's alone, whatever its name, and so a class that has a
    registered name: Keras writes none for its own."""
    if entry.get("class_name") == "function":
        return context.own(name)
    registered = entry.get("registered_name")
    if "module" in entry and isinstance(registered, str) and registered:
        return context.own(registered)
    if ">" not in str(entry.get("registered_name")) and (names.is_known(name) or is_removed_class(name)):
        raise context.refused(name, "module", f"no module is named, so that Keras 3 does not find the class {name}")
    return context.own(entry.get("registered_name") or name)


def _not_in_keras(entry: Mapping[str, Any], module: str, name: str, context: Context) -> Refused:
    if names.is_module(module):
        kind = "function" if entry.get("class_name") == "function" else "class"
        return context.refused(name, "", f"Keras 3 has no {kind} {name} in {module}")
    why = f"Keras 3 looks up {module}.{name}, which it does not have"
    place = names.legacy_layer(name)
    other = f"; its own {name} is in the module {place.rpartition('.')[0]}" if place else ""
    return context.refused(name, "module", why + other)


def _of_torch(module: str, name: str, context: Context) -> Refused | None:
    """Why an optimizer is found on one backend alone: on PyTorch, Keras saves the classes that it has for that backend
    under their own modules (`TorchOptimizer.__new__`, keras/src/backend/torch/optimizers/torch_optimizer.py, 3.15)."""
    if not module.startswith(_TORCH_OPTIMIZERS) or names.public("keras.optimizers", name) is None:
        return None
    why = (
        f"Keras 3 has the optimizer {module}.{name} where PyTorch is installed; elsewhere, load the model with "
        "compile=False"
    )
    return Refused(Obstacle(context.where, name, "module", why, backend="torch"))


def _outside(entry: Mapping[str, Any], module: str, name: str, context: Context) -> Own:
    """An own object; modules under which Keras 2 was known are none."""
    if is_old_keras(module):
        raise context.refused(name, "module", f"{module} is a module of Keras 2, which Keras 3 does not look into")
    if entry.get("class_name") == "function":  # which Keras looks up by its own name
        return context.own(name, module)
    return context.own(entry.get("registered_name") or name, module)


def is_of_keras(name: str, config: Any) -> bool:
    """Whether the entry of a layer that names no module means what Keras has, or had, under this name.

    A class that is called as something else of Keras is, an optimizer, a metric, an operation that takes other
    arguments, is the user's own: Keras looks it up among the user's objects first, and then among layers alone
    (`model_from_config`, keras/src/legacy/saving/saving_utils.py, 3.15).
    """
    if is_removed_layer(name):
        return True
    rows = [row for place in names.places(name) if (row := row_of(place)) is not None]
    return any(row.kind == "layer" or (row.kind == "operation" and _may_make(row, config)) for row in rows)


def _may_make(operation: Row, config: Any) -> bool:
    """Whether a config may be that of an operation, which says nothing of being trainable, as those of layers do."""
    arguments = {"name", "dtype", *operation.required, *operation.rules}
    return isinstance(config, Mapping) and "trainable" not in config and (operation.open or config.keys() <= arguments)


def find_layer(name: Any, config: Any, context: Context) -> str | Own:
    """The place of the class that a config without module names, as legacy files have them.

    Raises Refused for a class that older versions of Keras had.
    """
    if not isinstance(name, str):
        raise context.refused(name, "class_name", f"the name of a class is {shown(name)}; Keras takes a string")
    place = names.legacy_layer(name)
    if place is not None:
        return place
    if is_of_keras(name, config):
        raise context.refused(name, "", f"Keras 3 has no layer {name}")
    return context.own(name)
