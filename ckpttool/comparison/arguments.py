"""What differs between the arguments of two objects, each by the dotted path of its key."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from ckpttool.comparison.change import ABSENT
from ckpttool.comparison.objects import BY_NAME, Named, Thing, equal, kind_of, meaning
from ckpttool.model.class_names import snake_case
from ckpttool.model.defaults import class_called, defaults_of
from ckpttool.model.layers.table import of_kind

MAX_DEPTH = 32
"""Objects that are nested deeper are compared as they are written."""

Difference = tuple[str, Any, Any]
"""The dotted path of a key, and what both sides mean under it; `shown` makes JSON of a meaning."""

Inside = Callable[[Thing, Thing], Iterator[Difference]]
"""What tells the differences between two models that other layers hold."""

# Arguments that take one number for all axes.
_SPREAD = frozenset(
    {
        *("attention_axes", "axes", "axis", "cropping", "dilation_rate", "kernel_size", "output_padding"),
        *("output_size", "padding", "pool_size", "shared_axes", "size", "strides", "tile_grid_size"),
    }
)
# Arguments that are another one, or a part of it, where they are null; only where the class has that other.
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
_COUNTING = of_kind("lookup")  # what counts its own vocabulary
_HASHING = frozenset({"HashedCrossing", "Hashing"})  # whose dtype is int64 only where numbers come out
_MANY = 2**53
# Arguments of Keras 1 and 2 that tell how a layer computes, not what; Keras 3 has no such choice.
_HOW = frozenset({"implementation"})
_SIDES = re.compile(r"^((forward|backward)_)+")
_NAMES_2 = MappingProxyType({"Functional": "model", "InputLayer": "input"})  # what Keras 1 and 2 numbered
_NUMBER = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True)
class Sides:
    """What is known of both sides: whether Keras before 3 wrote them, and how models that layers hold are compared."""

    old: tuple[bool, bool] = (False, False)
    inside: Inside | None = None


def differences(
    path: str, kind: str, a: Any, b: Any, sides: Sides, depth: int = 0, spread: bool = False
) -> Iterator[Difference]:
    """What differs between two values that an object of a kind is expected in, in the order of the first."""
    a, b = (one if one is ABSENT else meaning(kind, one, old) for one, old in zip((a, b), sides.old, strict=True))
    if a is b:
        return
    if depth <= MAX_DEPTH and isinstance(a, Thing) and isinstance(b, Thing) and _alike(a, b):
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


def _inside(a: Thing, b: Thing, path: str, sides: Sides, depth: int) -> Iterator[Difference]:
    """What differs between two objects of one class that others hold."""
    if sides.inside is not None and a.is_model and b.is_model:
        yield from ((_joined(path, key), old, new) for key, old, new in sides.inside(a, b))
    else:
        yield from argument_differences(a, b, path, depth, sides.inside)


def argument_differences(
    a: Thing, b: Thing, path: str = "", depth: int = 0, inside: Inside | None = None
) -> Iterator[Difference]:
    """What differs between the arguments of two objects of one class, whose defaults count as given; not the names of
    the outermost two."""
    sides = Sides((a.old, b.old), inside)
    if a.old is b.old and identical(a.config, b.config):
        return
    for key in dict.fromkeys((*a.config, *b.config)):
        if key == "name":
            yield from _names(path, a, b) if path else ()
        elif not _passed_over(a, b, key):
            kind, one, other = kind_of(key), argument(a, key), argument(b, key)
            if not (identical(one, other) and (a.old is b.old or _is_ageless(kind, one))):
                spread = key in _SPREAD and a.kind == "layers"
                yield from differences(_joined(path, key), kind, one, other, sides, depth + 1, spread)


def _is_ageless(kind: str, value: Any) -> bool:
    """Whether a value of a kind means the same whichever Keras wrote it, which only activations may not."""
    return kind != "activations" and not isinstance(value, list | Mapping)


def argument(thing: Thing, key: str) -> Any:
    """The argument of an object: as given, else as its class has it by default, else as it follows from another;
    ABSENT where the class does not tell."""
    defaults = thing.defaults
    value = thing.config[key] if key in thing.config else defaults.get(key, ABSENT if thing.own else _unknown(thing))
    if thing.class_name == "Bidirectional" and key in ("layer", "backward_layer"):
        return _in_bidirectional(value) if value is not None else _backwards(thing)
    if key == "factor" and thing.class_name == "RandomRotation" and isinstance(value, int | float):
        return [-value, value]
    if key == "dtype" and thing.class_name in _HASHING and argument(thing, "output_mode") != "int":
        return value if key in thing.config and value is not None else "float32"
    if value is not None:
        return None if key == "renorm_clipping" and value == {} else value
    return defaults.get(key) if key in _NULL_IS_DEFAULT else _followed(thing, key)


def _followed(thing: Thing, key: str) -> Any:
    """What an argument is by another one where it is null itself; None where it does not follow another."""
    source, factor = _FOLLOWS.get(key, (None, 1))
    if source is None or not (source in thing.config or source in thing.defaults):
        return None
    value = argument(thing, source)
    return value if factor == 1 or not isinstance(value, float | int) or abs(value) > _MANY else value * factor


def _unknown(thing: Thing) -> Any:
    """An argument of which the table knows no default: of a class that it knows, one that is not set."""
    return ABSENT if defaults_of(thing.kind, thing.class_name) is None else None


def _passed_over(a: Thing, b: Thing, key: str) -> bool:
    """Whether an argument says nothing on one side, or nothing that another one does not say."""
    if key in _HOW:
        return not a.own and (a.old or b.old)
    if key == "backward_layer":
        return all(map(_is_mirrored, (a, b)))
    if key in _FOLLOWS:
        return all(map(partial(_is_followed, key=key), (a, b)))
    if key == "vocabulary_size" and a.class_name in _COUNTING:
        return any(argument(one, key) is None or argument(one, "vocabulary") is not None for one in (a, b))
    return (a.class_name, key) == ("RandomCrop", "seed") and None in (argument(a, key), argument(b, key))


def _is_followed(thing: Thing, key: str) -> bool:
    """Whether an argument is what it would be by another one."""
    followed = _followed(thing, key)
    return followed is not None and equal(argument(thing, key), followed, True)


def _backwards(thing: Thing) -> Any:
    """The layer that a Bidirectional makes itself for the other direction: a copy that goes backwards."""
    layer = _in_bidirectional(thing.config.get("layer"))
    config = layer.get("config") if isinstance(layer, Mapping) else None
    if not isinstance(config, Mapping):
        return None
    return {**layer, "config": {**config, "go_backwards": not config.get("go_backwards", False)}}


def _in_bidirectional(layer: Any) -> Any:
    """A layer that a Bidirectional holds, without the argument that this sets whatever is given."""
    config = layer.get("config") if isinstance(layer, Mapping) else None
    if not isinstance(config, Mapping):
        return layer
    return {**layer, "config": {key: value for key, value in config.items() if key != "zero_output_for_mask"}}


def _is_mirrored(thing: Thing) -> bool:
    """Whether the backward layer is the one that a Bidirectional makes itself."""
    sides = Sides((thing.old, thing.old))
    return not any(differences("", "layers", argument(thing, "backward_layer"), _backwards(thing), sides))


def _names(path: str, a: Thing, b: Thing) -> Iterator[Difference]:
    """The names of two objects, unless Keras made both."""
    one, other = a.config.get("name"), b.config.get("name")
    if not equal(_bare(one), _bare(other)) and not (is_automatic(a, one) and is_automatic(b, other)):
        yield _joined(path, "name"), one, other


def is_automatic(thing: Thing, name: Any) -> bool:
    """Whether a name is one that Keras gives by itself: none, that of the class, or such a one with a number."""
    if name is None:
        return True
    if not isinstance(name, str):
        return False
    base = _NUMBER.sub("", _bare(name))
    known = (snake_case(thing.class_name), thing.class_name, thing.class_name.lower(), thing.defaults.get("name"))
    return base in known or base == _NAMES_2.get(thing.class_name) or class_called(thing.kind, base) == thing.class_name


def _bare(name: Any) -> Any:
    """A name without the sides that Bidirectional puts in front."""
    return _SIDES.sub("", name) if isinstance(name, str) else name


def _alike(a: Thing, b: Thing) -> bool:
    return (a.kind, a.class_name, a.own) == (b.kind, b.class_name, b.own)


def _are_lists_of_objects(kind: str, a: Any, b: Any) -> bool:
    if not (isinstance(a, list) and isinstance(b, list) and len(a) == len(b)):
        return False
    return kind in BY_NAME or any(isinstance(one, Mapping) for one in (*a, *b))


def _same(a: Any, b: Any, spread: bool) -> bool:
    """Whether two meanings are the same without a look inside."""
    if isinstance(a, Thing) and isinstance(b, Thing):
        return _alike(a, b) and equal(a.config, b.config)
    if isinstance(a, Thing | Named) or isinstance(b, Thing | Named):
        return isinstance(a, Named) and isinstance(b, Named) and a == b
    return a is not ABSENT and b is not ABSENT and equal(a, b, spread)


def identical(a: Any, b: Any) -> bool:
    """Whether two values are written alike, as far as a quick look tells."""
    try:
        return bool(a == b)
    except RecursionError:
        return False


def shown(value: Any, depth: int = 0) -> Any:
    """A meaning as JSON has it, short: an object by its class and what it does not have by default."""
    if isinstance(value, Named):
        return value.name
    if not isinstance(value, Thing):
        return value
    config = dict(value.config) if value.own or depth > 2 else dict(_stated(value, depth))
    return {"class_name": value.class_name, "config": config} if config else value.class_name


def _stated(thing: Thing, depth: int) -> Iterator[tuple[str, Any]]:
    """The arguments of an object that are not those of its class by default."""
    plain = Thing(thing.kind, thing.class_name, {}, thing.own, thing.old)
    sides = Sides((thing.old, thing.old))
    for key, value in thing.config.items():
        if key == "name" and is_automatic(thing, value):
            continue
        default = argument(plain, key)
        if default is ABSENT or any(differences("", kind_of(key), value, default, sides, depth + 1, key in _SPREAD)):
            yield key, shown(meaning(kind_of(key), value, thing.old), depth + 1)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
