"""Roles of weights, by which their numbers are judged: kernel, variance, other statistic, or none of these."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from ckpttool.checkpoint import Section, Weight
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError
from ckpttool.formats.weight_paths import as_keras_3, split
from ckpttool.model import Layer
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import snake_case
from ckpttool.model.layers.table import LAYERS
from ckpttool.model.layouts import Place
from ckpttool.model.parts import part_of
from ckpttool.model.slots import in_path_layout

_VARIANCES = frozenset({"moving_variance", "running_std"})
_KERNELS = frozenset({"embeddings", "W", "U"})
_STATISTICS = frozenset({"mean", "variance", "count", "moving_mean", "running_mean", *_VARIANCES})
_CONSTANT_INITIALIZERS = ("zero", "one", "constant")
_NUMBER = re.compile(r"(param_)?\d+")  # in place of a name
_FIRST = frozenset({"0", "param_0"})  # of the weights that are known by number: that of a kernel, if there is one

# Arguments that layers cannot do without; the names of slots are the same for any sizes.
_ANY_SIZES: Mapping[str, Any] = {
    "name": "any",
    "equation": "ab,bc->ac",
    "bias_axes": "c",
    **dict.fromkeys(("units", "filters", "kernel_size", "num_heads", "key_dim", "head_dim", "num_query_heads"), 1),
    **dict.fromkeys(("num_key_value_heads", "input_dim", "output_dim", "output_shape"), 1),
}


class Role(NamedTuple):
    """The role of a weight: the `name` of its slot, empty where it is not known, and whether it is a kernel, a moving
    variance, or some statistic of the data; variables of an optimizer count as statistics. `starts_constant` says that
    its initializer gives the same value to all. `dtype` is that of its slot, empty where there is none."""

    name: str = ""
    is_kernel: bool = False
    is_variance: bool = False
    is_statistic: bool = False
    starts_constant: bool = False
    dtype: str = ""


class Roles(NamedTuple):
    """The roles of the weights of one checkpoint: by the slots of its architecture, else by names, else by paths."""

    places: Mapping[str, Place]
    layers: Mapping[str, Layer]
    siblings: Mapping[str, int]

    @classmethod
    def of(cls, subject: Subject) -> "Roles":
        """The roles of the weights of a checkpoint that is open."""
        places = subject.alignment.by_path() if subject.alignment else {}
        layers = subject.architecture.by_path() if subject.architecture else {}
        weights = subject.checkpoint.values() if subject.checkpoint else ()
        return cls(places, layers, Counter(_owner(weight.path) for weight in weights))

    def role(self, weight: Weight) -> Role:
        """The role of a weight."""
        if weight.section is not Section.MODEL:
            return Role(is_statistic=True)
        place = self.places.get(weight.path)
        name = place.slot.name if place else self._slot_name(weight)
        is_kernel = name.endswith("kernel") or name in _KERNELS
        if not name and weight.path.rpartition("/")[2] in _FIRST:
            is_kernel = len(weight.shape) > 1
        return Role(
            name,
            is_kernel,
            name in _VARIANCES,
            name in _STATISTICS,
            is_kernel and place is not None and self._starts_constant(place),
            place.slot.written_dtype if place else "",
        )

    def _starts_constant(self, place: Place) -> bool:
        """Whether the config of a layer has an initializer for the slot that gives the same value to all."""
        entry = self.layers[place.layer].entry if place.layer in self.layers else None
        return any(map(_makes_constants, _values_under(entry, f"{place.slot.name}_initializer")))

    def _slot_name(self, weight: Weight) -> str:
        """The name of a weight's slot where no architecture says it: the stored name, else the name of the slot that
        the class in its path has at this place."""
        if weight.name is not None and not _NUMBER.fullmatch(weight.name):
            return _stored_name(weight.name)
        parts = tuple(part.lstrip("_") for part in as_keras_3(split(weight.path)))
        for at in range(len(parts) - 1, 0, -1):
            slots = _slots_of(parts[at - 1].rstrip("0123456789").rstrip("_"))
            inside = "/".join(parts[at:])
            # The layer's name is the user's: it counts as that of a class where as many weights are stored beside
            # this one as the class has.
            if inside in slots and self.siblings[_owner(weight.path)] == sum(
                _owner(path) == _owner(inside) for path in slots
            ):
                return slots[inside]
        return ""


def _owner(path: str) -> str:
    return path.rpartition("/")[0]


def _stored_name(name: str) -> str:
    """The name of a slot in a stored name: `dense_1/kernel:0`, and of Keras 1 `dense_1_W` or `lstm_1_U_i`."""
    last = name.rpartition("/")[2]
    last = last.rpartition(":")[0] or last
    if last in _STATISTICS:
        return last
    statistic = max((known for known in _STATISTICS if last.endswith(f"_{known}")), key=len, default="")
    gate = next((part for part in last.split("_")[-2:] if part in _KERNELS), "")
    return statistic or gate or last


@cache
def _slots_of(snake: str) -> Mapping[str, str]:
    """The names of the slots of a class as paths spell it, by their paths below the layer; none where it has none."""
    class_name = next((name for name in LAYERS if snake_case(name) == snake), None)
    if class_name is None:
        return {}
    try:
        part = part_of(class_name, Args.of({"class_name": class_name, "config": _ANY_SIZES}))
    except CheckpointError:  # a wrapper, whose layers are classes of their own
        return {}
    return {"/".join(p.lstrip("_") for p in split(path)): slot.name for path, _, slot in in_path_layout(part)}


def _values_under(value: Any, key: str) -> Iterator[Any]:
    """The values under a key anywhere in the config of one layer, whose depth the reader has bounded."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, Mapping):
            if key in node:
                yield node[key]
            stack += node.values()
        elif isinstance(node, list):
            stack += node


def _makes_constants(initializer: Any) -> bool:
    named = initializer.get("class_name") if isinstance(initializer, Mapping) else initializer
    return isinstance(named, str) and named.lower().startswith(_CONSTANT_INITIALIZERS)
