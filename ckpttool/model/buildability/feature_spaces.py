"""FeatureSpace: its features, and the crosses of them (keras/src/layers/preprocessing/feature_space.py, 3.15)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ckpttool.model.buildability.context import Context, Refused, shown
from ckpttool.model.buildability.deserialization import deserialize
from ckpttool.model.buildability.shapes import is_dtype
from ckpttool.model.buildability.values import Layer, Object

Refuse = Callable[[str], Refused]

_KINDS = (
    *("float", "float_normalized", "float_rescaled", "float_discretized", "integer_categorical"),
    *("string_categorical", "integer_hashed", "string_hashed"),
)
_HASHED = ("integer_hashed", "string_hashed")


def features_of(value: Any, refuse: Refuse, context: Context) -> dict[str, Any]:
    """The features by name: the names of their kinds, or objects. Raises Refused for what makes no input."""
    if not isinstance(value, dict) or not value:
        raise refuse(f"it is {shown(value)}; Keras takes an object with a feature at least")
    return {name: _feature(name, feature, refuse, context) for name, feature in value.items()}


def _feature(name: str, value: Any, refuse: Refuse, context: Context) -> Any:
    if "/" in name:
        raise refuse(f"a feature is called {shown(name)}; Keras takes a name without /")
    if not isinstance(value, dict):
        if value not in _KINDS:
            raise refuse(f"feature {name} is {shown(value)}; Keras takes one of {', '.join(_KINDS)}, or an object")
        return value
    feature = deserialize(value, context)
    if isinstance(feature, Layer) and not feature.place:  # the user's own class
        return feature
    if not isinstance(feature, Object) or feature.class_name != "Feature":
        raise refuse(f"feature {name} is {shown(value)}; Keras takes an object of class Feature")
    dtype = feature.arguments.get("dtype")
    if not is_dtype(dtype):
        raise refuse(f"the dtype of feature {name} is {shown(dtype)}; Keras takes the name of a dtype")
    return feature


def crosses_of(value: Any, refuse: Refuse, context: Context) -> list[Any]:
    """The crosses: objects, or lists of names of features. Raises Refused for what is neither."""
    if not value:
        return []
    if not isinstance(value, list | tuple | str | dict):
        raise refuse(f"it is {shown(value)}; Keras takes a list of crosses")
    return [_cross(cross, refuse, context) for cross in value]


def _cross(value: Any, refuse: Refuse, context: Context) -> Any:
    cross = deserialize(value, context) if isinstance(value, dict) else value
    if isinstance(cross, Object) and cross.class_name == "Cross":
        _check_name(cross.arguments["feature_names"], refuse)
    elif not isinstance(cross, list | tuple | str | dict | Layer) or (isinstance(cross, Layer) and cross.place):
        raise refuse(f"one of them is {shown(value)}; Keras takes a list of names of features, or a Cross")
    return cross


def _check_name(names: Iterable[Any], refuse: Refuse) -> None:
    """Keras names the layer that crosses features by them."""
    wrong = next((name for name in names if not isinstance(name, str) or "/" in name), None)
    if wrong is not None:
        raise refuse(f"one of them names {shown(wrong)}; Keras takes names of features without /")


def check_together(arguments: Mapping[str, Any], refuse: Callable[[str, str], Refused]) -> None:
    """Raises Refused where crosses name features that there are not, or a kind of feature lacks its size."""
    features = arguments["features"]
    for cross in arguments.get("crosses") or ():
        if not isinstance(cross, Object | Layer):
            _check_cross(cross, features, arguments.get("crossing_dim", 32), refuse)
    size = arguments.get("hashing_dim", 32)
    if any(feature in _HASHED for feature in features.values() if isinstance(feature, str)) and not _is_above(size, 0):
        raise refuse("hashing_dim", f"it is {shown(size)}; Keras takes a positive number for features that are hashed")
    size = arguments.get("num_discretization_bins", 32)
    if "float_discretized" in features.values() and not _is_above(size, -1):
        raise refuse("num_discretization_bins", f"it is {shown(size)}; Keras takes a number of 0 at least")


def _check_cross(cross: Any, features: Mapping[str, Any], size: Any, refuse: Callable[[str, str], Refused]) -> None:
    if not size:
        raise refuse("crossing_dim", f"it is {shown(size)}; Keras needs a size where features are crossed")
    wrong = next((name for name in cross if not isinstance(name, str) or name not in features), None)
    if wrong is not None:
        raise refuse("crosses", f"they name {shown(wrong)}, which is no feature")


def _is_above(value: Any, least: int) -> bool:
    return isinstance(value, int | float) and value > least


def check_build(space: Layer, settings: Mapping[str, Any], context: Context) -> None:
    """Raises Refused where `build_config` names what is no feature, or the preprocessor of one is no layer."""
    features = space.arguments["features"]
    for name, shapes in settings.items():
        if name not in features:
            raise context.refused("FeatureSpace", "build_config", f"it names {shown(name)}, which is no feature")
        preprocessor = features[name].arguments.get("preprocessor") if isinstance(features[name], Object) else None
        if isinstance(features[name], Object) and not isinstance(preprocessor, Layer):
            why = f"the preprocessor of feature {name} is {shown(preprocessor)}; Keras takes a layer"
            raise context.refused("FeatureSpace", "preprocessor", why)
        if shapes and not isinstance(shapes, dict) and not (isinstance(preprocessor, Layer) and preprocessor.built):
            why = f"it has {shown(shapes)} for feature {name}; Keras takes an object"
            raise context.refused("FeatureSpace", "build_config", why)
