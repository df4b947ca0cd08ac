"""What a legacy `.h5` holds of a layer: which arrays, in which order, under which names, and which slots they are.

Every generation writes `layer.weights` (`save_weights_to_hdf5_group`, keras/engine/topology.py, 1.2.2, and
keras/engine/saving.py, 2.2.4) or the trainable and then the other weights (`_legacy_weights`,
keras/src/saving/legacy/hdf5_format.py, 2.15). What these are is decided layer by layer, so the lists of a layer are put
together here from those of the layers that it holds, as its generation does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.model.generations import keras1_weight_forms
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.keras1_weight_forms import Form
from ckpttool.model.layers.table import of_kind
from ckpttool.model.sizes import Shape
from ckpttool.model.slots import Part, Slot, owned_in_legacy_order

_MODELS = of_kind("model")
_MADE_CELLS = of_kind("recurrent") - {"Bidirectional", "RNN"}  # these are given what they run
_DEPTHWISE = frozenset({"DepthwiseConv1D", "DepthwiseConv2D"})
_CONVOLVING = frozenset(  # the others correlate
    {"Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTMCell"}
)


@dataclass(frozen=True, slots=True)
class StoredSlot:
    """One array of a legacy `.h5`: the slot of which it is the weight or a part.

    `name` is the last piece of its stored name, without ":0". `owner` is the path of attributes to the object that has
    the slot, `chain` the names that lead to it, `slot` the slot itself. `forms` are the shapes in which it may be
    stored, the usual one first. It is the part `gate` of `gates` equal parts along the slot's last axis. `spatial` is
    the number of axes in front along which a kernel made by Theano runs backwards, against those of other backends.
    """

    name: str
    owner: str
    chain: tuple[str, ...]
    slot: Slot
    trainable: bool
    forms: tuple[Form, ...]
    gate: int = 0
    gates: int = 1
    spatial: int = 0

    @property
    def shape(self) -> Shape | None:
        """The shape of the array."""
        return self.forms[0].shape

    def form_of(self, shape: Sequence[int]) -> Form | None:
        """The form in which an array of this shape is, None where it has none of them."""
        return next((form for form in self.forms if form.has(shape)), None)


class _At(NamedTuple):
    """An object on the way down: its part, its arguments, where it is, and the name that Keras 1 puts before
    weights."""

    part: Part
    config: Mapping[str, Any]
    path: tuple[str, ...]
    chain: tuple[str, ...]
    label: str


_Lists = tuple[list[StoredSlot], list[StoredSlot]]
"""The trainable weights and the others."""


def stored_order(part: Part, generation: Generation, entry: Any = None) -> list[StoredSlot]:
    """The arrays that a legacy `.h5` of this generation holds of a layer, in their order.

    `part` is what the table makes of the normalized entry, `entry` that entry: it tells what the part does not, the
    data format and the implementation (without it, channels come last and gates are apart). Keras 0 has no names but
    numbers.
    """
    if generation is Generation.KERAS_3:
        return _of_3(part)
    top = _At(part, _config(entry), (), (part.name,), part.name)
    trainable, others = _lists(top, generation)
    train = {_weight(one) for one in trainable}
    found = [replace(one, trainable=_weight(one) in train) for one in [*trainable, *others]]
    if generation is not Generation.KERAS_0:
        return found
    return [replace(one, name=f"param_{at}", forms=one.forms[::-1]) for at, one in enumerate(found)]


def _of_3(part: Part) -> list[StoredSlot]:
    chains = {"/".join(at.path): at.chain for at in _walk(_At(part, {}, (), (part.name,), ""))}
    return [
        StoredSlot(name, owner, chains[owner], slot, slot.trainable, (Form(slot.shape),))
        for (owner, name), slot in owned_in_legacy_order(part)
    ]


def _walk(at: _At) -> Iterator[_At]:
    yield at
    for child in _children(at):
        yield from _walk(child)


def _lists(at: _At, generation: Generation) -> _Lists:
    """The lists of an object: of a model those of its layers; of a frozen layer no trainable ones.

    A weight that one object borrows of another is tracked as it was made, whether or not its owner is frozen; so it
    may be in both lists, and is then stored twice (SpectralNormalization around a frozen layer, 2.15).
    """
    own = _own(at, generation)
    mine, fixed = (
        [one for one in own if _made_trainable(one.slot)],
        [one for one in own if not _made_trainable(one.slot)],
    )
    held = [_lists(child, generation) for child in _children(at)]
    trainable, others = [one for found, _ in held for one in found], [one for _, found in held for one in found]
    if at.part.trainable:
        return _once([*mine, *trainable]), _once([*fixed, *others])
    if at.part.is_model or at.part.class_name in _MODELS:
        return [], [*trainable, *others]
    return [], _once([*mine, *fixed, *(one for front, back in held for one in [*front, *back])])


def _made_trainable(slot: Slot) -> bool:
    return slot.trainable or slot.frozen or bool(slot.borrowed and slot.listed)


def _once(found: list[StoredSlot]) -> list[StoredSlot]:
    """The arrays without those that come a second time: a weight that two objects list."""
    first: dict[tuple[str, str, int], StoredSlot] = {}
    for one in found:
        first.setdefault(_weight(one), one)
    return list(first.values())


def _weight(one: StoredSlot) -> tuple[str, str, int]:
    """What tells a weight, or its part, from all others of a layer."""
    return one.owner, one.slot.name, one.gate


def _own(at: _At, generation: Generation) -> list[StoredSlot]:
    """The arrays of an object's own slots."""
    if generation is Generation.KERAS_2:
        return [_array(at, slot, _name_in_2(at.part, slot), _forms_in_2(at.part, slot)) for slot in at.part.slots]
    gates = keras1_weight_forms.gates_of(at.part, at.config)
    return [
        replace(
            _array(at, slot, f"{at.label}_{keras1_weight_forms.NAMES.get(slot.name, slot.name)}{gate.suffix}", forms),
            gate=gate.at,
            gates=len(gates),
        )
        for gate in sorted(gates, key=lambda gate: gate.turn)
        for slot in at.part.slots
        for forms in [keras1_weight_forms.forms_of(at.part, slot, at.config, len(gates))]
    ]


def _name_in_2(part: Part, slot: Slot) -> str:
    return "depthwise_kernel" if part.class_name in _DEPTHWISE and slot.name == "kernel" else slot.name


def _forms_in_2(part: Part, slot: Slot) -> tuple[Form, ...]:
    """The shape of today, but for statistics of several axes: they have as many axes as the input, which is not known
    here (`BatchNormalization.build`, keras/src/layers/normalization/batch_normalization.py, 2.15).

    Keras 2.0.9 to 2.3 load weights of a CuDNNLSTM into an LSTM and the other way around, and of a CuDNNGRU into a GRU
    that resets after; the shape of the bias tells them apart (`_convert_rnn_weights`, keras/engine/saving.py, 2.2.4).
    """
    several = part.class_name == "BatchNormalization" and slot.shape is not None and len(slot.shape) > 1
    counterpart = _COUNTERPARTS.get((part.class_name, slot.name))
    other = counterpart(slot.shape) if counterpart and slot.shape else None
    return (Form(None if several else slot.shape), *([Form(other, counterpart=True)] if other else []))


# The shape of the bias in the layer for cuDNN, or in the one that is not, by the one that a layer has. An LSTM that has
# a bias itself, and no cell, is one for cuDNN.
_COUNTERPARTS: Mapping[tuple[str, str], Callable[[Shape], Shape | None]] = MappingProxyType(
    {
        ("LSTMCell", "bias"): lambda shape: (2 * (shape[0] or 0),),
        ("GRUCell", "bias"): lambda shape: (2 * (shape[1] or 0),) if len(shape) == 2 else None,
        ("LSTM", "bias"): lambda shape: ((shape[0] or 0) // 2,),
        ("GRU", "bias"): lambda shape: (2, (shape[0] or 0) // 2),
    }
)


def _array(at: _At, slot: Slot, name: str, forms: tuple[Form, ...]) -> StoredSlot:
    owner = "/".join((*at.path, slot.borrowed) if slot.borrowed else at.path)
    chain = _chain_to(at.part, at.chain, slot.borrowed)
    return StoredSlot(name, owner, chain, slot, slot.trainable, forms, spatial=_spatial(at.part, slot))


def _spatial(part: Part, slot: Slot) -> int:
    """The number of axes along which Theano convolves, that is, goes through the kernel from its end
    (`convert_kernel`, keras/utils/np_utils.py, 1.2.2; `preprocess_weights_for_loading`, keras/engine/saving.py, 2.2.4,
    which forget Conv3DTranspose)."""
    if part.class_name not in _CONVOLVING or slot.name not in ("kernel", "recurrent_kernel"):
        return 0
    return max(0, len(slot.shape or ()) - 2)


def _chain_to(part: Part, chain: tuple[str, ...], path: str) -> tuple[str, ...]:
    """The chain of names to the object at a path below a part."""
    for name, child in part.children if path else ():
        if path == name or path.startswith(f"{name}/"):
            return _chain_to(child, (*chain, child.name), path[len(name) + 1 :])
    return chain


def _children(at: _At) -> list[_At]:
    """The objects that one holds, each with its arguments."""
    configs = _held_configs(at)
    made = at.part.class_name in _MADE_CELLS
    return [
        _At(child, config, (*at.path, name), (*at.chain, child.name), at.label if made else child.name)
        for (name, child), config in zip(at.part.children, configs, strict=False)
    ]


def _held_configs(at: _At) -> Sequence[Mapping[str, Any]]:
    """The arguments of what an object holds, one for each; empty ones where they are not told."""
    config, count = at.config, len(at.part.children)
    if at.part.class_name in _MADE_CELLS:
        return [config] * count
    for key in ("layers", "cells"):
        if isinstance(config.get(key), list) and len(config[key]) == count:
            return [_config(entry) for entry in config[key]]
    held = {"backward_layer": config.get("backward_layer") or config.get("layer"), "cell": config.get("cell")}
    return [_config(held.get(name, config.get("layer"))) for name, _ in at.part.children]


def _config(entry: Any) -> Mapping[str, Any]:
    """The arguments in an entry, none where it has none."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    return config if isinstance(config, Mapping) else {}
