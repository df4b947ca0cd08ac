"""The arrays of a layer in a legacy `.h5`: their order, their names, and their slots.

Every generation writes `layer.weights` (`save_weights_to_hdf5_group`, keras/engine/topology.py, 1.2.2, and
keras/engine/saving.py, 2.2.4) or the trainable and then the other weights (`_legacy_weights`,
keras/src/saving/legacy/hdf5_format.py, 2.15). Each layer decides on its own lists, so the lists of a layer are composed
here of those of its inner layers, as its generation does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.model.generations import keras1_weight_forms
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.keras1_weight_forms import Form
from ckpttool.model.layers.table import of_kind
from ckpttool.model.sizes import Shape
from ckpttool.model.slots import Part, Slot, owned_in_legacy_order

_MODELS = of_kind("model")
_OWN_CELLS = of_kind("recurrent") - {"Bidirectional", "RNN"}  # the config of these two has the inner layer or cell
_DEPTHWISE = frozenset({"DepthwiseConv1D", "DepthwiseConv2D"})
_CONVOLVING = frozenset(  # the others correlate
    {"Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTMCell"}
)


class StoredSlot(NamedTuple):
    """One array of a legacy `.h5`, which is the weight of a slot or a part of it.

    `name` is the last piece of its stored name, without ":0". `owner` is the path of attributes to the object that has
    the slot, `chain` the names down to it, `slot` the slot itself. `forms` are the shapes in which the array may be
    stored, the usual one first. It is part number `gate` of `gates` equal parts along the slot's last axis. `spatial`
    is the number of leading axes along which a kernel of Theano is reversed against those of other backends.
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
        """The form of an array of this shape, None where it has none of the forms."""
        return next((form for form in self.forms if form.has(shape)), None)


class _At(NamedTuple):
    """An object on the way down: its part, its arguments, its path and names, and the prefix of its weights in
    Keras 1."""

    part: Part
    config: Mapping[str, Any]
    path: tuple[str, ...]
    chain: tuple[str, ...]
    label: str


_Lists = tuple[list[StoredSlot], list[StoredSlot]]
"""The trainable weights and the others."""


def stored_order(part: Part, generation: Generation, entry: Any = None) -> list[StoredSlot]:
    """The arrays of a layer in a legacy `.h5` of this generation, in their order.

    `part` is the part of the normalized entry, `entry` that entry, which has the data format and the implementation
    (without it, channels come last and gates are separate arrays). Keras 0 has numbers in place of names.
    """
    if generation is Generation.KERAS_3:
        return _of_3(part)
    top = _At(part, _config(entry), (), (part.name,), part.name)
    trainable, others = _lists(top, generation)
    train = {_weight(array) for array in trainable}
    arrays = [array._replace(trainable=_weight(array) in train) for array in [*trainable, *others]]
    if generation is not Generation.KERAS_0:
        return arrays
    return [array._replace(name=f"param_{at}", forms=array.forms[::-1]) for at, array in enumerate(arrays)]


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

    A weight that an object borrows from another is tracked as it was created, even where its owner is frozen; so it may
    be in both lists, and is then stored twice (SpectralNormalization around a frozen layer, 2.15).
    """
    own = _own(at, generation)
    mine, fixed = (
        [array for array in own if _is_tracked_trainable(array.slot)],
        [array for array in own if not _is_tracked_trainable(array.slot)],
    )
    inner = [_lists(child, generation) for child in _children(at)]
    trainable, others = [array for front, _ in inner for array in front], [array for _, back in inner for array in back]
    if at.part.trainable:
        return _once([*mine, *trainable]), _once([*fixed, *others])
    if at.part.is_model or at.part.class_name in _MODELS:
        return [], [*trainable, *others]
    return [], _once([*mine, *fixed, *(array for front, back in inner for array in [*front, *back])])


def _is_tracked_trainable(slot: Slot) -> bool:
    return slot.trainable or slot.frozen or bool(slot.borrowed and slot.listed)


def _once(arrays: list[StoredSlot]) -> list[StoredSlot]:
    """The arrays without repetitions, which come from weights that two objects list."""
    first: dict[tuple[str, str, int], StoredSlot] = {}
    for array in arrays:
        first.setdefault(_weight(array), array)
    return list(first.values())


def _weight(array: StoredSlot) -> tuple[str, str, int]:
    """The key of an array in its layer: owner, slot and gate."""
    return array.owner, array.slot.name, array.gate


def _own(at: _At, generation: Generation) -> list[StoredSlot]:
    """The arrays of an object's own slots."""
    if generation is Generation.KERAS_2:
        return [_array(at, slot, _name_in_2(at.part, slot), _forms_in_2(at.part, slot)) for slot in at.part.slots]
    gates = keras1_weight_forms.gates_of(at.part, at.config)
    return [
        _array(
            at, slot, f"{at.label}_{keras1_weight_forms.NAMES.get(slot.name, slot.name)}{gate.suffix}", forms
        )._replace(gate=gate.at, gates=len(gates))
        for gate in sorted(gates, key=lambda gate: gate.turn)
        for slot in at.part.slots
        for forms in [keras1_weight_forms.forms_of(at.part, slot, at.config, len(gates))]
    ]


def _name_in_2(part: Part, slot: Slot) -> str:
    return "depthwise_kernel" if part.class_name in _DEPTHWISE and slot.name == "kernel" else slot.name


def _forms_in_2(part: Part, slot: Slot) -> tuple[Form, ...]:
    """The form with the shape of the slot; of unknown shape for statistics along several axes, which have as many axes
    as the input (`BatchNormalization.build`, keras/src/layers/normalization/batch_normalization.py, 2.15).

    Keras 2.0.9 to 2.3 load weights of a CuDNNLSTM into an LSTM and the other way around, and of a CuDNNGRU into a GRU
    that resets after; the shape of the bias shows which it is (`_convert_rnn_weights`, keras/engine/saving.py, 2.2.4).
    """
    several = part.class_name == "BatchNormalization" and slot.shape is not None and len(slot.shape) > 1
    counterpart = _COUNTERPARTS.get((part.class_name, slot.name))
    other = counterpart(slot.shape) if counterpart and slot.shape else None
    return (Form(None if several else slot.shape), *([Form(other, counterpart=True)] if other else []))


# From the shape of a layer's bias to that of its counterpart: for cuDNN, or without it. An LSTM that has a bias itself,
# and no cell, is one for cuDNN.
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
    """The number of axes along which Theano convolves, that is, reads the kernel from its end
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
    """The children of an object, each with its arguments."""
    configs = _child_configs(at)
    own_cell = at.part.class_name in _OWN_CELLS
    return [
        _At(child, config, (*at.path, name), (*at.chain, child.name), at.label if own_cell else child.name)
        for (name, child), config in zip(at.part.children, configs, strict=False)
    ]


def _child_configs(at: _At) -> Sequence[Mapping[str, Any]]:
    """The arguments of each child of an object; empty where the config has none."""
    config, count = at.config, len(at.part.children)
    if at.part.class_name in _OWN_CELLS:
        return [config] * count
    for key in ("layers", "cells"):
        if isinstance(config.get(key), list) and len(config[key]) == count:
            return [_config(entry) for entry in config[key]]
    entries = {"backward_layer": config.get("backward_layer") or config.get("layer"), "cell": config.get("cell")}
    return [_config(entries.get(name, config.get("layer"))) for name, _ in at.part.children]


def _config(entry: Any) -> Mapping[str, Any]:
    """The arguments in an entry, none where it has none."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    return config if isinstance(config, Mapping) else {}
