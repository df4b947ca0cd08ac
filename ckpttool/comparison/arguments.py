"""The differences between the arguments of two objects, each with the dotted path of its key."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.comparison.change import ABSENT
from ckpttool.comparison.objects import BY_NAME, ConfigObject, DTypePolicy, equal, kind_of, meaning
from ckpttool.model.class_names import NUMBERED_NAMES, snake_case
from ckpttool.model.defaults import class_called, defaults_of
from ckpttool.model.layers.layer_type import Trait
from ckpttool.model.layers.table import of_kind, with_trait

MAX_DEPTH = 32
"""The depth below which nested objects are compared as they are written."""

Difference = tuple[str, Any, Any]
"""The dotted path of a key, and its meaning on both sides; `shown` makes JSON of a meaning."""

Inside = Callable[[ConfigObject, ConfigObject], Iterator[Difference]]
"""A function that gives the differences between two models inside wrapper layers."""

# Arguments that take one number for all axes.
_SPREAD = frozenset(
    """
    attention_axes axes axis cropping dilation_rate kernel_size output_padding output_size padding pool_size
    shared_axes size strides tile_grid_size
    """.split()
)
# Arguments that have the value of another argument, times a factor, where they are null and the class has the other.
_FOLLOWS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "lora_alpha": ("lora_rank", 1),
        "max_freq": ("sampling_rate", 0.5),
        "sequence_length": ("fft_length", 1),
        "strides": ("pool_size", 1),
        "value_dim": ("key_dim", 1),
    }
)
_NULL_IS_DEFAULT = frozenset({"arguments", "data_format", "dtype", "ragged", "sparse"})
_COUNTING = of_kind("lookup")  # layers that count their vocabulary themselves
_HASHING = with_trait(Trait.HASHES)
_TWO_WAYS, _SIGNED, _SEEDED = map(with_trait, (Trait.TWO_WAYS, Trait.SIGNED, Trait.DRAWS_A_SEED))
_MANY = 2**53  # integers beyond it lose digits in the product with a factor
# Arguments of Keras 1 and 2 that choose how a layer computes, not what; Keras 3 has no such choice.
_HOW = frozenset({"implementation"})
_SIDES = re.compile(r"^((forward|backward)_)+")
_NUMBER = re.compile(r"_\d+$")


class Sides(NamedTuple):
    """Facts about both sides: whether Keras before 3 wrote them, and how models inside wrapper layers are compared."""

    old: tuple[bool, bool] = (False, False)
    inside: Inside | None = None


def differences(
    path: str, kind: str, a: Any, b: Any, sides: Sides, depth: int = 0, spread: bool = False
) -> Iterator[Difference]:
    """The differences between two values where an object of a kind is expected, in the order of the first."""
    a, b = (one if one is ABSENT else meaning(kind, one, old) for one, old in zip((a, b), sides.old, strict=True))
    if a is b:
        return
    if depth <= MAX_DEPTH and isinstance(a, ConfigObject) and isinstance(b, ConfigObject) and _alike(a, b):
        yield from _inside(a, b, path, sides, depth)
    elif depth <= MAX_DEPTH and isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys((*a, *b)):
            below = kind_of(key) or kind
            yield from differences(_joined(path, key), below, a.get(key, ABSENT), b.get(key, ABSENT), sides, depth + 1)
    elif depth <= MAX_DEPTH and _are_lists_of_objects(kind, a, b):
        for at, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from differences(_joined(path, str(at)), kind, one, other, sides, depth + 1)
    elif not _same(a, b, spread):
        yield path, a, b


def _inside(a: ConfigObject, b: ConfigObject, path: str, sides: Sides, depth: int) -> Iterator[Difference]:
    """The differences between two objects of one class that are arguments of others."""
    if sides.inside is not None and a.is_model and b.is_model:
        yield from ((_joined(path, key), old, new) for key, old, new in sides.inside(a, b))
    else:
        yield from argument_differences(a, b, path, depth, sides.inside)


def argument_differences(
    a: ConfigObject, b: ConfigObject, path: str = "", depth: int = 0, inside: Inside | None = None
) -> Iterator[Difference]:
    """The differences between the arguments of two objects of one class.

    An argument that is not set has its default. The names of the outermost two objects are left out.
    """
    sides = Sides((a.old, b.old), inside)
    if a.old is b.old and identical(a.config, b.config):
        return
    for key in dict.fromkeys((*a.config, *b.config)):
        if key == "name":
            yield from _names(path, a, b) if path else ()
        elif not _is_ignored(a, b, key):
            kind, one, other = kind_of(key), argument(a, key), argument(b, key)
            if not (identical(one, other) and (a.old is b.old or _is_ageless(kind, one))):
                spread = key in _SPREAD and a.kind == "layers"
                yield from differences(_joined(path, key), kind, one, other, sides, depth + 1, spread)


def _is_ageless(kind: str, value: Any) -> bool:
    """Whether a value has the same meaning whichever Keras wrote it; activations and nested values may not."""
    return kind != "activations" and not isinstance(value, list | Mapping)


def argument(obj: ConfigObject, key: str) -> Any:
    """The argument of an object: as set, else its default, else as it follows from another argument.

    ABSENT where the class is not known to have it.
    """
    defaults = obj.defaults
    # A key that is set to null is no missing key: for most arguments null has a meaning of its own.
    value = obj.config[key] if key in obj.config else defaults.get(key, ABSENT if obj.own else _unknown(obj))
    if obj.class_name in _TWO_WAYS and key in ("layer", "backward_layer"):
        return _in_bidirectional(value) if value is not None else _backwards(obj)
    if key == "factor" and obj.class_name in _SIGNED and isinstance(value, int | float):
        return [-value, value]
    if key == "dtype" and obj.class_name in _HASHING and argument(obj, "output_mode") != "int":
        return value if key in obj.config and value is not None else "float32"
    if value is not None:
        return None if key == "renorm_clipping" and value == {} else value
    return defaults.get(key) if key in _NULL_IS_DEFAULT else _followed(obj, key)


def _followed(obj: ConfigObject, key: str) -> Any:
    """The value of an argument that is null, from the argument that it follows; None where it follows none."""
    source, factor = _FOLLOWS.get(key, (None, 1))
    if source is None or not (source in obj.config or source in obj.defaults):
        return None
    value = argument(obj, source)
    return value if factor == 1 or not isinstance(value, float | int) or abs(value) > _MANY else value * factor


def _unknown(obj: ConfigObject) -> Any:
    """The value of an argument without a default in the table: None where the table has the class, else ABSENT."""
    return ABSENT if defaults_of(obj.kind, obj.class_name) is None else None


def _is_ignored(a: ConfigObject, b: ConfigObject, key: str) -> bool:
    """Whether an argument says nothing on one side, or only what another argument says as well."""
    if key in _HOW:
        return not a.own and (a.old or b.old)
    if key == "backward_layer":
        return all(map(_is_mirrored, (a, b)))
    if key in _FOLLOWS:
        return all(map(partial(_is_followed, key=key), (a, b)))
    if key == "vocabulary_size" and a.class_name in _COUNTING:
        return any(argument(side, key) is None or argument(side, "vocabulary") is not None for side in (a, b))
    return key == "seed" and a.class_name in _SEEDED and None in (argument(a, key), argument(b, key))


def _is_followed(obj: ConfigObject, key: str) -> bool:
    """Whether an argument has the value that would follow from another argument."""
    followed = _followed(obj, key)
    return followed is not None and equal(argument(obj, key), followed, True)


def _backwards(obj: ConfigObject) -> Any:
    """The backward layer that a Bidirectional creates itself: a copy of its layer with `go_backwards` inverted."""
    layer = _in_bidirectional(obj.config.get("layer"))
    config = layer.get("config") if isinstance(layer, Mapping) else None
    if not isinstance(config, Mapping):
        return None
    return {**layer, "config": {**config, "go_backwards": not config.get("go_backwards", False)}}


def _in_bidirectional(layer: Any) -> Any:
    """The layer inside a Bidirectional, without the argument that Bidirectional itself sets."""
    config = layer.get("config") if isinstance(layer, Mapping) else None
    if not isinstance(config, Mapping):
        return layer
    return {**layer, "config": {key: value for key, value in config.items() if key != "zero_output_for_mask"}}


def _is_mirrored(obj: ConfigObject) -> bool:
    """Whether the backward layer is the one that a Bidirectional creates itself."""
    sides = Sides((obj.old, obj.old))
    return not any(differences("", "layers", argument(obj, "backward_layer"), _backwards(obj), sides))


def _names(path: str, a: ConfigObject, b: ConfigObject) -> Iterator[Difference]:
    """The difference between the names of two objects, unless Keras gave both."""
    one, other = a.config.get("name"), b.config.get("name")
    if not equal(_bare(one), _bare(other)) and not (is_automatic(a, one) and is_automatic(b, other)):
        yield _joined(path, "name"), one, other


def is_automatic(obj: ConfigObject, name: Any) -> bool:
    """Whether Keras gave the name itself: none, the name of the class, or that with a number."""
    if name is None:
        return True
    if not isinstance(name, str):
        return False
    base = _NUMBER.sub("", _bare(name))
    known = (snake_case(obj.class_name), obj.class_name, obj.class_name.lower(), obj.defaults.get("name"))
    return base in known or base == NUMBERED_NAMES.get(obj.class_name) or class_called(obj.kind, base) == obj.class_name


def _bare(name: Any) -> Any:
    """A name without the `forward_` and `backward_` that Bidirectional puts in front."""
    return _SIDES.sub("", name) if isinstance(name, str) else name


def _alike(a: ConfigObject, b: ConfigObject) -> bool:
    return (a.kind, a.class_name, a.own) == (b.kind, b.class_name, b.own)


def _are_lists_of_objects(kind: str, a: Any, b: Any) -> bool:
    if not (isinstance(a, list) and isinstance(b, list) and len(a) == len(b)):
        return False
    return kind in BY_NAME or any(isinstance(value, Mapping) for value in (*a, *b))


def _same(a: Any, b: Any, spread: bool) -> bool:
    """Whether two meanings are the same; arguments of objects are compared as they are written."""
    if isinstance(a, ConfigObject) and isinstance(b, ConfigObject):
        return _alike(a, b) and equal(a.config, b.config)
    if isinstance(a, ConfigObject | DTypePolicy) or isinstance(b, ConfigObject | DTypePolicy):
        return isinstance(a, DTypePolicy) and isinstance(b, DTypePolicy) and a == b
    return a is not ABSENT and b is not ABSENT and equal(a, b, spread)


def identical(a: Any, b: Any) -> bool:
    """Whether two values are written alike; False where they are nested too deeply to compare."""
    try:
        return bool(a == b)
    except RecursionError:
        return False


def shown(value: Any, depth: int = 0) -> Any:
    """A meaning as JSON has it, short: an object is its class and the arguments that differ from their defaults."""
    if isinstance(value, DTypePolicy):
        return value.name
    if not isinstance(value, ConfigObject):
        return value
    config = dict(value.config) if value.own or depth > 2 else dict(_beyond_defaults(value, depth))
    return {"class_name": value.class_name, "config": config} if config else value.class_name


def _beyond_defaults(obj: ConfigObject, depth: int) -> Iterator[tuple[str, Any]]:
    """The arguments of an object that differ from the defaults of its class."""
    plain = ConfigObject(obj.kind, obj.class_name, {}, obj.own, obj.old)
    sides = Sides((obj.old, obj.old))
    for key, value in obj.config.items():
        if key == "name" and is_automatic(obj, value):
            continue
        default = argument(plain, key)
        if default is ABSENT or any(differences("", kind_of(key), value, default, sides, depth + 1, key in _SPREAD)):
            yield key, shown(meaning(kind_of(key), value, obj.old), depth + 1)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
