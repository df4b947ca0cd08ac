"""Masks that differ in Keras 3: a model in which a layer would receive another mask than before is refused.

In Keras 1 and 2, the output of a merge is unmasked where the masks of all inputs are, ignoring inputs without a mask
(`compute_mask`, keras/layers/merge.py, 2.2.4; keras/src/layers/merging, 2.15). In Keras 3, it is unmasked where any of
the masks is, and everywhere if one input has no mask (merging/base_merge.py and concatenate.py, 3.15). So both agree
where all inputs have the same mask. The output of a model in another has no mask yet while the graph is built, which
Concatenate takes for no mask at all.

At masked steps a Bidirectional of Keras 1, and of Keras 2 outside TensorFlow, repeats its last output, as other
recurrent layers still do (`rnn`, keras/backend, 2.2.4); in tf.keras and Keras 3 it outputs zeros
(`force_zero_output_for_mask`, keras/src/layers/rnn/bidirectional.py, 3.15). No argument changes that; it is noted as a
guess that no later layer uses these outputs.

A recurrent layer that is called with states gets no mask in Keras 3, which hands masks to calls on one tensor alone
(`Layer.__call__`, keras/src/layers/layer.py, 3.15).

Multiply, Maximum and Minimum of Keras 3 leave inputs out at steps where these are masked, and give 0, or the first,
where all are (`Multiply._merge_function`, `Merge._apply_merge_op_and_or_mask`, keras/src/layers/merging, 3.15); older
ones computed them of all inputs. Where all have the same mask, it is noted as a guess that no later layer uses these
steps.

The loss of a masked output is the mean over the steps that are not masked in Keras 3, in Keras since 2.11 (`Loss`,
keras/losses.py) and in Keras of many backends (`weighted`, keras/engine/training_utils.py, 2.2.4). tf.keras and Keras
before 2.11 divide the same sum by the number of all steps (`apply_mask`, keras/engine/compile_utils.py, 2.6).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.conversion.config.graphs import Connections, layers_by_name
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Call, Tensor, flat
from ckpttool.model.layers.layer_type import MaskUse
from ckpttool.model.layers.table import LAYERS, OLD_LAYERS, classes, of_kind
from ckpttool.model.shape_inference import is_model, steps_of
from ckpttool.model.sizes import Shape
from ckpttool.paths import join_path

_MERGES = (
    "merges tensors of which not all have the same mask, and so gives another in Keras 3, which a layer behind uses"
)
MASKED_LOSS = (
    "the loss of a masked output: Keras 3 divides it by the number of steps that are not masked, older ones by that of "
    "all steps"
)
OTHER_MASK_LOSS = (
    "the loss of an output behind merged masks: Keras 3 leaves out other steps, as it merges masks in another way"
)
_LOSES = "loses in Keras 3 the mask that it handed on, which a layer behind uses"
_USES = "uses in Keras 3 the mask that it did not"
_FINDS = "hands on in Keras 3 a mask that it did not, which a layer behind uses"

_REPEATS = (
    "nothing uses what it gives at steps that are masked, where Keras 3 gives zeros and older ones its last output"
)

_UNUSED = "begins with states of another layer: Keras 3 takes no mask of its input then, which older ones did"
_AT_THE_END = (
    "only steps at its end are masked, and nothing uses them: it begins with states of another layer, and Keras 3 "
    "takes no mask of its input then"
)
_LEAVES_OUT = "merges tensors of which not all have the same mask: Keras 3 leaves out those that are masked at a step"
_LEFT_OUT = "nothing uses what it gives at steps that are masked, where Keras 3 leaves inputs out"
_LEAVING_OUT = frozenset({"Maximum", "Minimum", "Multiply"})

_ELEMENTWISE = of_kind("elementwise merge")
_RECURRENT = of_kind("recurrent")
_USING = classes(lambda row: MaskUse.USED in row.masks)
_LOSING = classes(lambda row: row.masks & MaskUse.PASSED == MaskUse.PASSED_BEFORE)
_FINDING = classes(lambda row: row.masks & MaskUse.PASSED == MaskUse.PASSED_NOW) - {"Rescaling"}
_PASSING = classes(lambda row: MaskUse.PASSED in row.masks)


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask: the layers that made it, the layers after which it differs in Keras 3, each with the reason, and the
    models that it has left."""

    sources: frozenset[str]
    changed: frozenset[tuple[str, str]] = frozenset()
    models: frozenset[str] = frozenset()

    def but(self, label: str, why: str) -> "Mask":
        """The mask after a layer through which it differs in Keras 3."""
        return replace(self, changed=self.changed | {(label, why)})

    def out_of(self, label: str) -> "Mask":
        """The mask after a model."""
        return replace(self, models=self.models | {label})

    def concatenated(self) -> "Mask":
        """The mask in a Concatenate, which loses those of outputs of models."""
        return replace(self, changed=self.changed | {(label, _LOSES) for label in self.models})


_MEANS_OF_VALID = (2, 11)
_SOFTMAX_WITH_MASKS = (2, 4)  # that of 2.2.4 takes no mask (keras/layers/advanced_activations.py)

_Masks = Sequence[Mask | None]
_Key = tuple[str, int]


def has_masks(config: Any) -> bool:
    """Whether a layer in a config of Keras 3 makes masks."""
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


def check(model: Args, generation: Generation, origin: Origin, journal: Journal) -> str:
    """Refuse the layers of a model through which a mask differs in Keras 3, if a later layer uses it. `model` is in the
    form of Keras 3. Returns how the loss of a masked output differs in Keras 3, empty where it does not."""
    if generation is Generation.KERAS_3 or not is_model(model):
        return ""
    walk = _Walk(generation, origin.before(*_SOFTMAX_WITH_MASKS), origin.of_many_backends, journal)
    outputs = walk.model(model, "", ())
    if any(mask is not None and mask.changed for mask in outputs):
        return OTHER_MASK_LOSS
    differs = any(outputs) and origin.before(*_MEANS_OF_VALID) and not origin.of_many_backends
    return MASKED_LOSS if differs else ""


@dataclass(slots=True)
class _Walk:
    generation: Generation
    plain_softmax: bool
    repeats: bool
    journal: Journal
    reported: set[tuple[str, str]] = field(default_factory=set)

    def model(self, args: Args, label: str, input_masks: _Masks) -> _Masks:
        """The masks of the outputs of a model, for those of its inputs."""
        if args.class_name != "Sequential":
            return self.graph(args, label, input_masks)
        masks: _Masks = input_masks[:1] or (None,)
        for step in steps_of(args):
            masks = self.layer(step.args, join_path(label, step.args.name), masks, step.inputs)
        return masks

    def graph(self, args: Args, label: str, input_masks: _Masks) -> _Masks:
        """The masks of the outputs of a Functional model, for those of its inputs."""
        layers = layers_by_name(args)
        connections = Connections.of(args, layers, self.generation)
        inputs = [tensor.layer for tensor in flat(connections.inputs)]
        masks_by_call: dict[_Key, _Masks] = {
            (name, 0): (mask,) for name, mask in zip(inputs, input_masks, strict=False)
        }
        for name, at, call in connections.in_order():
            explicit = call.kwargs.get("mask") is not None
            taken = () if explicit else _of(_merged_or_first(layers[name], call), masks_by_call)
            if layers[name].class_name in _RECURRENT and any(taken) and len(call.tensors) > 1:
                self.beside_states(layers[name], join_path(label, name))
            masks_by_call[name, at] = self.layer(layers[name], join_path(label, name), taken or (None,), call.inputs)
        return _of(flat(connections.outputs), masks_by_call)

    def layer(self, args: Args, label: str, taken: _Masks, shapes: Iterable[Shape | None]) -> _Masks:
        """The masks of the outputs of a layer, for those of its inputs."""
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
        if name in _LEAVING_OUT and any(taken):
            self.left_out(label, taken)
        if name in _ELEMENTWISE or name == "Concatenate":
            return (_merged(args, label, taken, shapes),)
        if name == "Bidirectional" and mask is not None and self.repeats and _gives_sequences(args):
            self.guess(label, _REPEATS)
        if name in _RECURRENT:
            return (mask if _gives_sequences(args) else None,)
        return (mask and _passed_on(args, label, mask, own),)

    def guess(self, label: str, assumption: str) -> None:
        """Note, once, that nothing uses the outputs of a layer that differ at masked steps."""
        if (label, assumption) not in self.reported:
            self.reported.add((label, assumption))
            self.journal.guess(label, assumption)

    def beside_states(self, args: Args, label: str) -> None:
        """Refuse, once, a recurrent layer whose last output a mask decides; else note that its mask is not used."""
        if _gives_sequences(args):
            self.guess(label, _AT_THE_END)
        elif (label, _UNUSED) not in self.reported:
            self.reported.add((label, _UNUSED))
            self.journal.refuse(label, _UNUSED)

    def left_out(self, label: str, masks: _Masks) -> None:
        """Refuse, once, a merge that leaves inputs out at steps that others have; else note that it does."""
        if _are_the_same(masks):
            self.guess(label, _LEFT_OUT)
        elif (label, _LEAVES_OUT) not in self.reported:
            self.reported |= {(label, _LEAVES_OUT), (label, _MERGES)}
            self.journal.refuse(label, _LEAVES_OUT)

    def used(self, masks: _Masks) -> None:
        """Refuse the layers through which these masks, which a layer uses, differ in Keras 3."""
        for place in sorted({place for mask in masks if mask for place in mask.changed} - self.reported):
            self.reported.add(place)
            self.journal.refuse(*place)


def _passed_on(args: Args, label: str, mask: Mask, own: bool) -> Mask | None:
    """The mask after a layer with one input, which neither makes nor merges masks."""
    if args.config.get("activation") == "hard_sigmoid" and args.class_name == "Activation":
        return mask.out_of(label)  # it becomes a model, with a Rescaling before it
    if args.class_name in _LOSING:
        return mask.but(label, _LOSES)
    if args.class_name in _FINDING:
        return mask.but(label, _FINDS)
    return mask if own or args.class_name in _PASSING else None


def _of(tensors: Iterable[Tensor], masks_by_call: Mapping[_Key, _Masks]) -> list[Mask | None]:
    """The masks of tensors, None for those without."""
    masks = [(masks_by_call.get((tensor.layer, tensor.node), ()), tensor.output) for tensor in tensors]
    return [of[at] if 0 <= at < len(of) else None for of, at in masks]


def _merged_or_first(args: Args, call: Call) -> Sequence[Tensor]:
    """The tensors of a call whose masks a layer receives: the states of a recurrent layer have none."""
    return call.tensors[:1] if args.class_name in _RECURRENT else call.tensors


def _merged(args: Args, label: str, taken: _Masks, shapes: Iterable[Shape | None]) -> Mask | None:
    """The mask of the output of a merge. Where it concatenates steps of time, both generations concatenate their masks,
    too."""
    present = [mask for mask in taken if mask is not None]
    present = [mask.concatenated() for mask in present] if args.class_name == "Concatenate" else present
    if not present:
        return None
    changed = frozenset[tuple[str, str]]().union(*(mask.changed for mask in present))
    whole = Mask(frozenset[str]().union(*(mask.sources for mask in present)), changed)
    if args.class_name == "Concatenate" and _in_time(args.config.get("axis", -1), shapes):
        return Mask(frozenset({label}), changed)
    return whole if _are_the_same(taken) else whole.but(label, _MERGES)


def _are_the_same(masks: _Masks) -> bool:
    """Whether all tensors have the same mask."""
    return None not in masks and len({mask.sources for mask in masks if mask is not None}) == 1


def _in_time(axis: Any, shapes: Iterable[Shape | None]) -> bool:
    rank = next((len(shape) for shape in shapes if shape is not None), None)
    return axis == 1 if rank is None else rank > 2 and axis in (1, 1 - rank)


def _gives_sequences(args: Args) -> bool:
    """Whether a recurrent layer outputs every step."""
    layer = args.config.get("layer") if args.class_name == "Bidirectional" else None
    config = layer.get("config") if isinstance(layer, Mapping) else args.config
    return isinstance(config, Mapping) and config.get("return_sequences") is True
