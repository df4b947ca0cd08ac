"""The arguments of a layer, read from its config: typed, checked, and bounded in depth.

A config comes from a stranger and may have any value that JSON can; a value that no layer takes raises `ConfigError`,
which names the layer, the argument, the expected values and the value found.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.errors import ConfigError
from ckpttool.io import scalars
from ckpttool.io.facts import Facts
from ckpttool.model.class_names import snake_case
from ckpttool.model.dtype_policies import Policy, read_policy
from ckpttool.model.entries import is_foreign, is_operation
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE, Inputs, Shape, Size, is_integer, items, read_shape
from ckpttool.model.slots import Part, Slot

MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Args:
    """A layer's class name and config. `built` are the input shapes in the `build_config` of Keras 3, `declared` is the
    input shape among the arguments of a layer that Keras 3 does not have.

    `foreign` says that the config names a module outside Keras, so that the class is not the built-in one of that name.
    `entry_name` is the name beside class and config in the layer's entry, which counts where the config of an own class
    has none. `path` are the names of the objects around the layer, from the outermost on, and its own.
    """

    class_name: str
    config: Mapping[str, Any]
    built: Inputs = ()
    foreign: bool = False
    operation: bool = False
    depth: int = 0
    entry_name: str = ""
    path: tuple[str, ...] = field(default=())
    declared: Inputs = ()
    facts: Facts = field(default_factory=Facts, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, entry: Any, depth: int = 0, path: tuple[str, ...] = ()) -> "Args":
        """The arguments of a layer as Keras serializes it: `{"class_name", "config"}`, Keras 2 or 3, inside the objects
        of `path`."""
        if depth > MAX_DEPTH:
            raise ConfigError(f"layers nested more than {MAX_DEPTH} deep", where="/".join(path))
        if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
            raise ConfigError(
                "not the config of a layer",
                where="/".join(path),
                expected='{"class_name": ..., "config": {...}}',
                found=_shown(entry),
            )
        config = entry.get("config", {})
        if isinstance(config, list):  # Sequential models up to Keras 2.2.2
            config = {"layers": config}
        if not isinstance(config, Mapping):
            raise ConfigError(f"{entry['class_name']}: config is no object", expected="an object", found=_shown(config))
        declared, entry_name = read_shape(entry.get("declared_shape")), entry.get("name")
        entry_name = entry_name if isinstance(entry_name, str) else ""
        return cls(
            entry["class_name"],
            config,
            built_shapes(entry.get("build_config")),
            is_foreign(entry),
            is_operation(entry),
            depth,
            entry_name,
            (*path, _name(entry["class_name"], config, entry_name)),
            () if declared is None else (declared,),
        )

    def as_class(self, class_name: str) -> "Args":
        """The same arguments under another name of the class."""
        return self if class_name == self.class_name else replace(self, class_name=class_name)

    def child(self, class_name: str, name: str, **config: Any) -> "Args":
        """The arguments of an object that this layer creates itself, with the layer's dtype policy."""
        config = {"name": name, "dtype": self.config.get("dtype"), **config}
        return Args(class_name, config, depth=self.depth + 1, path=(*self._chain, name))

    @property
    def _chain(self) -> tuple[str, ...]:
        return self.path or (self.name,)

    def part(
        self,
        *slots: Slot | None,
        children: Sequence[tuple[str, Part]] = (),
        write_order: tuple[str, ...] = (),
        known: bool = True,
    ) -> Part:
        """The layer with these slots (None for those it lacks), frozen where its config says so."""
        own = [slot for slot in slots if slot is not None]
        trainable = self.flag("trainable", True)
        if not trainable:
            own = [slot if slot.borrowed or not slot.trainable else _frozen(slot) for slot in own]
        return Part(self.class_name, self.name, tuple(own), tuple(children), known, trainable, write_order)

    def __contains__(self, key: str) -> bool:
        return self.config.get(key) is not None

    def error(self, key: str, expected: str) -> ConfigError:
        """The error for an unusable value of the argument `key`, to be raised."""
        layer = f"{self.class_name} {self.name!r}" if self.name else self.class_name
        value = _shown(self.config[key]) if key in self.config else "nothing"
        return ConfigError(f"{layer}: {key} cannot be used", where="/".join(self.path), expected=expected, found=value)

    @property
    def name(self) -> str:
        """The name of the layer; Keras derives one from the class where the config has none."""
        return _name(self.class_name, self.config, self.entry_name)

    def flag(self, key: str, default: bool) -> bool:
        """A truth value; null and 0 are false and 1 is true, as in Python."""
        value = self.config.get(key, default)
        if value is None:
            return False
        if is_integer(value) and value in (0, 1):
            return bool(value)
        if not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string, `default` where it is missing or null."""
        value = self.config.get(key)
        value = default if value is None else value
        if not isinstance(value, str):
            raise self.error(key, "a string")
        return value

    def choice(self, key: str, *choices: str) -> str:
        """A string out of `choices`, the first of them where it is missing or null."""
        value = self.text(key, choices[0])
        if value not in choices:
            raise self.error(key, " or ".join(choices))
        return value

    def integer(self, key: str, default: int | None = None) -> int | None:
        """A whole number, `default` where it is missing or null."""
        value = self.config.get(key)
        if value is None:
            return default
        number = scalars.whole(value) if is_integer(value) else None
        if number is None:
            raise self.error(key, "a whole number")
        return number

    def size(self, key: str, default: int | None = None) -> int:
        """A positive whole number, such as a number of units."""
        value = self.integer(key, default)
        if value is None or not 0 < value <= MAX_SIZE:
            raise self.error(key, "a positive whole number")
        return value

    def rank(self, key: str) -> int | None:
        """A positive whole number, None where it is missing, null or 0."""
        return self.size(key) if self.integer(key) else None

    def numbers(self, key: str, rank: int, default: int | None = None) -> tuple[int, ...]:
        """Positive whole numbers, one for each of `rank` axes; a single number stands for all of them."""
        value = items(self.config.get(key))
        if not isinstance(value, list):
            return (self.size(key, default),) * rank
        if len(value) != rank or not all(is_integer(size) and 0 < size <= MAX_SIZE for size in value):
            raise self.error(key, f"{rank} positive whole numbers")
        return tuple(value)

    def rates(self, key: str, rank: int) -> tuple[float, ...]:
        """Positive numbers, one for each of `rank` axes, 1 by default; in a list they may have a fraction."""
        value = items(self.config.get(key))
        if not isinstance(value, list) or not all(isinstance(rate, float | int) for rate in value):
            return self.numbers(key, rank, 1)
        if len(value) != rank or not all(0 < rate <= MAX_SIZE for rate in value):
            raise self.error(key, f"{rank} positive numbers")
        return tuple(value)

    def axes(self, key: str, default: int | None = None) -> tuple[int, ...]:
        """Numbers of axes: one or a list; none where it is null."""
        value = items(self.config.get(key)) if key in self.config else default
        value = [] if value is None else value if isinstance(value, list) else [value]
        if len(value) > MAX_RANK or not all(is_integer(axis) and abs(axis) <= MAX_RANK for axis in value):
            raise self.error(key, "the number of an axis, or a list of such")
        return tuple(value)

    def shape(self, key: str) -> Shape:
        """A shape, written as one size or as a list in which null is an unknown size."""
        value = items(self.config.get(key))
        value = value if isinstance(value, list) else [value]
        shape = read_shape(value)
        if shape is None:
            raise self.error(key, "a shape: positive whole numbers or null")
        return shape

    def axis_of(self, shape: Shape | None, axis: int, key: str = "axis") -> Size:
        """The size of one axis of an input, None where the input is not known."""
        if shape is None:
            return None
        if not -len(shape) <= axis < len(shape):
            raise self.error(key, f"an axis of an input with {len(shape)} axes")
        return shape[axis]

    def layer(self, key: str) -> "Args":
        """The arguments of the inner layer under `key`."""
        return self._inner(self.config.get(key))

    def layers(self, key: str) -> list["Args"]:
        """The arguments of the inner layers in a list under `key`."""
        value = items(self.config.get(key))
        if not isinstance(value, list):
            raise self.error(key, "a list of layers")
        return [self._inner(entry) for entry in value]

    def _inner(self, entry: Any) -> "Args":
        return Args.of(entry, self.depth + 1, self._chain)

    @property
    def policy(self) -> Policy:
        """The dtype policy of the layer: the dtype of its variables, and its quantization."""
        try:
            return read_policy(self.config.get("dtype"), self.config.get("quantization_config"), self._chain)
        except ValueError as error:
            raise self.error("dtype", str(error)) from None

    @property
    def variable_dtype(self) -> str:
        """The dtype of the layer's variables where it sets none itself."""
        return self.policy.variable_dtype


def first_shape(inputs: Inputs) -> Shape | None:
    """The shape of the first input, None where it is not known."""
    return inputs[0] if inputs else None


def _frozen(slot: Slot) -> Slot:
    return replace(slot, trainable=False, frozen=True)


def _name(class_name: str, config: Mapping[str, Any], entry_name: str) -> str:
    name = config.get("name")
    return name if isinstance(name, str) else entry_name or snake_case(class_name)


def built_shapes(build_config: Any) -> Inputs:
    """The input shapes in a `build_config`: `input_shape` with one shape or several, or `shapes_dict` by name."""
    if not isinstance(build_config, Mapping):
        return ()
    value = build_config.get("input_shape", build_config.get("shapes_dict"))
    shape = read_shape(value)
    if shape is not None:
        return (shape,)
    if isinstance(value, Mapping):
        value = list(value.values())
    return tuple(read_shape(entry) for entry in value[:MAX_RANK]) if isinstance(value, list) else ()


def _shown(value: Any, depth: int = 0) -> str:
    """A value, shortened for an error message."""
    if depth > 3:
        return "..."
    if isinstance(value, Mapping):
        return f"an object with {len(value)} keys"
    if isinstance(value, list | tuple):
        shown = ", ".join(_shown(item, depth + 1) for item in value[:4])
        return f"a list of {len(value)}" if len(value) > 4 else f"[{shown}]"
    if is_integer(value) and abs(value) > MAX_SIZE:
        return f"a number of about {math.ceil(value.bit_length() * math.log10(2))} digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
