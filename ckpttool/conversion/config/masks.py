"""MaskUse that reach a layer otherwise in Keras 3 than they did: what merged or lost them is refused.

Keras 1 and 2 kept of a merge what the masks of all its tensors kept, those without a mask left out (`compute_mask`,
keras/layers/merge.py, 2.2.4; keras/src/layers/merging, 2.15). Keras 3 keeps what any of them does, and where one has no
mask, all of it (merging/base_merge.py and concatenate.py, 3.15). So they agree where all have the same mask. What comes
out of a model in another has no mask yet while the graph is built, which Concatenate takes for no mask at all.

At masked steps a Bidirectional of Keras 1 and 2 of its own repeated its last output, as other recurrent layers do still
(`rnn`, keras/backend, 2.2.4); that of tf.keras and of Keras 3 gives zeros (`force_zero_output_for_mask`,
keras/src/layers/rnn/bidirectional.py, 3.15). No argument changes that, so that it is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.conversion.config.graphs import Connections
from ckpttool.conversion.config.layer_order import in_order
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Call, Tensor, flat
from ckpttool.model.layers.layer_type import MaskUse
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS, classes, of_kind
from ckpttool.model.shape_inference import is_model, name_in_graph, steps_of
from ckpttool.model.sizes import Shape
from ckpttool.paths import join_path

_MERGES = (
    "merges tensors of which not all have the same mask, and so gives another in Keras 3, which a layer behind uses"
)
_LOSES = "loses in Keras 3 the mask that it handed on, which a layer behind uses"
_USES = "uses in Keras 3 the mask that it did not"
_FINDS = "hands on in Keras 3 a mask that it did not, which a layer behind uses"

_REPEATS = (
    "nothing uses what it gives at steps that are masked, where Keras 3 gives zeros and older ones its last output"
)

_ELEMENTWISE = of_kind("elementwise merge")
_RECURRENT = of_kind("recurrent")
_USING = classes(lambda row: MaskUse.USED in row.masks)
_LOSING = classes(lambda row: row.masks & MaskUse.PASSED == MaskUse.PASSED_BEFORE)
_FINDING = classes(lambda row: row.masks & MaskUse.PASSED == MaskUse.PASSED_NOW) - {"Rescaling"}
_PASSING = classes(lambda row: MaskUse.PASSED in row.masks)


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask: the layers that made it, those that make another of it today, each with why, and the models that it has
    come out of."""

    sources: frozenset[str]
    changed: frozenset[tuple[str, str]] = frozenset()
    models: frozenset[str] = frozenset()

    def but(self, label: str, why: str) -> "Mask":
        """The mask behind a layer that makes another of it today."""
        return replace(self, changed=self.changed | {(label, why)})

    def out_of(self, label: str) -> "Mask":
        """The mask behind a model."""
        return replace(self, models=self.models | {label})

    def concatenated(self) -> "Mask":
        """The mask where it is put beside others."""
        return replace(self, changed=self.changed | {(label, _LOSES) for label in self.models})


_SOFTMAX_WITH_MASKS = (2, 4)  # that of 2.2.4 takes no mask (keras/layers/advanced_activations.py)

_Masks = Sequence[Mask | None]
_Key = tuple[str, int]


def are_made_in(config: Any) -> bool:
    """Whether a layer of a model, in the words of today, makes masks."""
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, Mapping):
            own = value.get("config")
            masking = isinstance(own, Mapping) and own.get("mask_zero") is True
            if masking or value.get("class_name") == "Masking":
                return True
            stack.extend(value.values())
    return False


def check(model: Args, generation: Generation, origin: Origin, journal: Journal) -> None:
    """Refuses the layers of a model behind which a mask is another in Keras 3, where a layer uses it. `model` is in the
    words of today."""
    if generation is not Generation.KERAS_3 and is_model(model):
        walk = _Walk(generation, origin.before(*_SOFTMAX_WITH_MASKS), origin.of_many_backends, journal)
        walk.model(model, "", ())


@dataclass(slots=True)
class _Walk:
    generation: Generation
    plain_softmax: bool
    repeats: bool
    journal: Journal
    told: set[tuple[str, str]] = field(default_factory=set)

    def model(self, args: Args, label: str, given: _Masks) -> _Masks:
        """The masks of what comes out of a model, for those of what goes in."""
        if args.class_name != "Sequential":
            return self.graph(args, label, given)
        masks: _Masks = given[:1] or (None,)
        for step in steps_of(args):
            masks = self.layer(step.args, join_path(label, step.args.name), masks, step.inputs)
        return masks

    def graph(self, args: Args, label: str, given: _Masks) -> _Masks:
        """The masks of what comes out of a graph."""
        entries = zip(args.config["layers"], args.layers("layers"), strict=True)
        layers = {name_in_graph(entry, layer): layer for entry, layer in entries}
        connections = Connections.of(args, layers, self.generation)
        inputs = [tensor.layer for tensor in flat(connections.inputs)]
        found: dict[_Key, _Masks] = {(name, 0): (mask,) for name, mask in zip(inputs, given, strict=False)}
        calls = {(name, at): call for name, of in connections.calls.items() for at, call in enumerate(of)}
        for key in in_order(calls, lambda key: [(tensor.layer, tensor.node) for tensor in calls[key].tensors]):
            call = calls[key]
            taken = () if call.kwargs.get("mask") is not None else _of(_merged_or_first(layers[key[0]], call), found)
            found[key] = self.layer(layers[key[0]], join_path(label, key[0]), taken or (None,), call.inputs)
        return _of(flat(connections.outputs), found)

    def layer(self, args: Args, label: str, taken: _Masks, shapes: Iterable[Shape | None]) -> _Masks:
        """The masks of what comes out of a layer."""
        if is_model(args):
            return [mask and mask.out_of(label) for mask in self.model(args, label, taken)]
        name, mask = args.class_name, taken[0]
        if name == "Softmax" and mask is not None and self.plain_softmax:
            self.used([mask.but(label, _USES)])
            return (mask,)
        own = args.foreign or (name not in LAYERS and name not in OLD_LAYERS)
        if own or name in _USING:
            self.used(taken)
        if name == "Masking" or (name == "Embedding" and args.config.get("mask_zero") is True):
            return (Mask(frozenset({label})),)
        if name in _ELEMENTWISE or name == "Concatenate":
            return (_merged(args, label, taken, shapes),)
        if name == "Bidirectional" and mask is not None and self.repeats and _gives_sequences(args):
            self.repeated(label)
        if name in _RECURRENT:
            return (mask if _gives_sequences(args) else None,)
        if mask is None:
            return (None,)
        if args.config.get("activation") == "hard_sigmoid" and name == "Activation":
            return (mask.out_of(label),)  # which gets a layer before it
        if name in _LOSING:
            return (mask.but(label, _LOSES),)
        if name in _FINDING:
            return (mask.but(label, _FINDS),)
        return (mask if own or name in _PASSING else None,)

    def repeated(self, label: str) -> None:
        """Notes once that a layer gives other answers at masked steps."""
        if (label, _REPEATS) not in self.told:
            self.told.add((label, _REPEATS))
            self.journal.guess(label, _REPEATS)

    def used(self, masks: _Masks) -> None:
        """Refuses what makes other masks of these today."""
        for place in sorted({place for mask in masks if mask for place in mask.changed} - self.told):
            self.told.add(place)
            self.journal.refuse(*place)


def _of(tensors: Iterable[Tensor], found: Mapping[_Key, _Masks]) -> list[Mask | None]:
    """The masks of tensors, None for those without."""
    masks = [(found.get((tensor.layer, tensor.node), ()), tensor.output) for tensor in tensors]
    return [of[at] if 0 <= at < len(of) else None for of, at in masks]


def _merged_or_first(args: Args, call: Call) -> Sequence[Tensor]:
    """The tensors of a call whose masks a layer looks at: the states of a recurrent layer have none."""
    return call.tensors[:1] if args.class_name in _RECURRENT else call.tensors


def _merged(args: Args, label: str, taken: _Masks, shapes: Iterable[Shape | None]) -> Mask | None:
    """The mask of what a merge gives; where it puts steps of time one after the other, both generations do so with
    their masks."""
    held = [mask for mask in taken if mask is not None]
    held = [mask.concatenated() for mask in held] if args.class_name == "Concatenate" else held
    if not held:
        return None
    changed = frozenset[tuple[str, str]]().union(*(mask.changed for mask in held))
    whole = Mask(frozenset[str]().union(*(mask.sources for mask in held)), changed)
    if args.class_name == "Concatenate" and _in_time(args.config.get("axis", -1), shapes):
        return Mask(frozenset({label}), changed)
    same = len(held) == len(taken) and len({mask.sources for mask in held}) == 1
    return whole if same else whole.but(label, _MERGES)


def _in_time(axis: Any, shapes: Iterable[Shape | None]) -> bool:
    rank = next((len(shape) for shape in shapes if shape is not None), None)
    return axis == 1 if rank is None else rank > 2 and axis in (1, 1 - rank)


def _gives_sequences(args: Args) -> bool:
    """Whether a recurrent layer gives every step."""
    held = args.config.get("layer") if args.class_name == "Bidirectional" else None
    config = held.get("config") if isinstance(held, Mapping) else args.config
    return isinstance(config, Mapping) and config.get("return_sequences") is True
