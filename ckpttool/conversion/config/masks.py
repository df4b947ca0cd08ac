"""Masks that differ in Keras 3: a model in which a layer would receive another mask than before is refused.

In Keras 1 and 2, the output of a merge is unmasked where the masks of all inputs are, ignoring inputs without a mask
(`compute_mask`, keras/layers/merge.py, 2.2.4; keras/src/layers/merging, 2.15). In Keras 3, it is unmasked where any of
the masks is, and everywhere if one input has no mask (merging/base_merge.py and concatenate.py, 3.15). So both agree
where all inputs have the same mask. The output of a model in another has no mask yet while the graph is built, which
Concatenate takes for no mask at all.

At masked steps a Bidirectional of Keras 1, and of Keras 2 outside TensorFlow, repeats its last output, as other
recurrent layers still do (`rnn`, keras/backend, 2.2.4); in tf.keras and Keras 3 it outputs zeros
(`force_zero_output_for_mask`, keras/src/layers/rnn/bidirectional.py, 3.15). No argument changes that.

A recurrent layer that is called with states gets no mask in Keras 3, which hands masks to calls on one tensor alone
(`Layer.__call__`, keras/src/layers/layer.py, 3.15).

Multiply, Maximum and Minimum of Keras 3 leave inputs out at steps where these are masked, and give 0, or the first,
where all are (`Multiply._merge_function`, `Merge._apply_merge_op_and_or_mask`, keras/src/layers/merging, 3.15); older
ones computed them of all inputs. Where all have the same mask, their outputs differ at masked steps alone, as those of
such a Bidirectional do. Recurrent layers and masked pooling skip these steps; a layer that takes no mask uses them, and
the model is refused. Where an own layer or the user may use them, it is noted as a guess that nothing does.

In training, BatchNormalization of Keras 3, as of Keras since 2.12, takes the mean and variance of the steps that are
not masked (`_moments`, keras/src/layers/normalization/batch_normalization.py, 3.15); older ones took those of all.

The function of a Lambda that has an argument `mask` gets one in both generations; Keras 3 calls it without one, too, to
work out the shape of its output (`compute_output_shape`, keras/src/layers/core/lambda_layer.py, 3.15).

Two masks are the same where they are made of the same tensor: that of an Embedding says which of its inputs are 0.

The loss of a masked output is the mean over the steps that are not masked in Keras 3, in Keras since 2.11 (`Loss`,
keras/losses.py) and in Keras of many backends (`weighted`, keras/engine/training_utils.py, 2.2.4). tf.keras and Keras
before 2.11 divide the same sum by the number of all steps (`apply_mask`, keras/engine/compile_utils.py, 2.6).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.conversion.config.bytecode import StoredFunction
from ckpttool.conversion.config.graphs import Connections, layers_by_name
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model.arguments import Args
from ckpttool.model.config import mappings_in
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Call, Tensor, flat
from ckpttool.model.layers.layer_type import MaskUse
from ckpttool.model.layers.recurrent import gives_sequences
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
_SHAPE_WITHOUT = (
    "its function gets a mask, and takes None for it, too: Keras 3 hands it none while it works out the shape of the "
    "output, unless the layer is given output_shape"
)
_MOMENTS = (
    "takes the mean and variance of the steps that are not masked in training, where older ones took those of all: "
    "further training is not the same, predictions are"
)
_LEAVES_OUT = "merges tensors of which not all have the same mask: Keras 3 leaves out those that are masked at a step"
_LEFT_OUT = "nothing uses what it gives at steps that are masked, where Keras 3 leaves inputs out"
_NUMBERS_USED = {
    _REPEATS: "gives zeros in Keras 3 at steps that are masked, not its last output, and a layer behind uses them",
    _LEFT_OUT: "leaves inputs out in Keras 3 at steps that are masked, and a layer behind uses what it gives there",
}
_LEAVING_OUT = frozenset({"Maximum", "Minimum", "Multiply"})

_ELEMENTWISE = of_kind("elementwise merge")
_RECURRENT = of_kind("recurrent")
_USING = classes(lambda row: MaskUse.USED in row.masks)
_LOSING = classes(lambda row: row.masks & MaskUse.PASSED == MaskUse.PASSED_BEFORE)
_FINDING = classes(lambda row: row.masks & MaskUse.PASSED == MaskUse.PASSED_NOW) - {"Rescaling"}
_PASSING = classes(lambda row: MaskUse.PASSED in row.masks)
_SKIPPING = _RECURRENT | {"GlobalAveragePooling1D"}  # give the same, whatever the numbers at masked steps
_ATTENDING = of_kind("attention") | {"GroupedQueryAttention", "MultiHeadAttention"}
_UNKNOWN = _ATTENDING | {"Lambda", "Softmax"}
_NORMALIZING = frozenset({"LayerNormalization", "UnitNormalization"})
_MIXING = _UNKNOWN | {"GroupNormalization"}
_STEPWISE = (_PASSING | _LOSING | _FINDING | _ELEMENTWISE | {"Concatenate"}) - _MIXING  # compute each step of its own


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask: what it was made of, the layers after which it differs in Keras 3, each with the reason, and the models
    that it has left. `unlike` are the layers after which the numbers of its tensor differ where it masks them."""

    sources: frozenset[str]
    changed: frozenset[tuple[str, str]] = frozenset()
    models: frozenset[str] = frozenset()
    unlike: frozenset[tuple[str, str]] = frozenset()

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
_MASKED_MOMENTS = (2, 12)
_SOFTMAX_WITH_MASKS = (2, 4)  # that of 2.2.4 takes no mask (keras/layers/advanced_activations.py)

_Masks = Sequence[Mask | None]
_Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Taken:
    """The tensors that a layer is called on: their masks, their names and their shapes. `place` names the call."""

    masks: _Masks
    tensors: Sequence[str]
    shapes: Sequence[Shape | None]
    place: str


def has_masks(config: Any) -> bool:
    """Whether a layer in a config of Keras 3 makes masks."""
    return any(map(_makes_mask, mappings_in(config)))


def _makes_mask(entry: Mapping[str, Any]) -> bool:
    config = entry.get("config")
    masks_zero = isinstance(config, Mapping) and config.get("mask_zero") is True
    return masks_zero or entry.get("class_name") == "Masking"


def check(model: Args, generation: Generation, origin: Origin, journal: Journal) -> str:
    """Refuse the layers of a model through which a mask differs in Keras 3, if a later layer uses it. `model` is in the
    form of Keras 3. Returns how the loss of a masked output differs in Keras 3, empty where it does not."""
    if generation is Generation.KERAS_3 or not is_model(model):
        return ""
    repeats = origin.of_many_backends
    whole_batches = repeats or origin.before(*_MASKED_MOMENTS)
    walk = _Walk(generation, origin.before(*_SOFTMAX_WITH_MASKS), repeats, whole_batches, journal)
    outputs = walk.model(model, "", _Taken((), (), (), ""))
    walk.unknown_use(outputs)
    if any(mask is not None and mask.changed for mask in outputs):
        return OTHER_MASK_LOSS
    differs = any(outputs) and origin.before(*_MEANS_OF_VALID) and not origin.of_many_backends
    return MASKED_LOSS if differs else ""


@dataclass(slots=True)
class _Walk:
    generation: Generation
    plain_softmax: bool
    repeats: bool
    whole_batches: bool
    journal: Journal
    reported: set[tuple[str, str]] = field(default_factory=set)

    def model(self, args: Args, label: str, taken: _Taken) -> _Masks:
        """The masks of the outputs of a model, for its inputs."""
        if args.class_name != "Sequential":
            return self.graph(args, label, taken)
        masks, tensors = taken.masks[:1] or (None,), taken.tensors[:1] or (taken.place,)
        for step in steps_of(args):
            place = join_path(taken.place, step.args.name)
            call = _Taken(masks, tensors, step.inputs, place)
            masks, tensors = self.layer(step.args, join_path(label, step.args.name), call), (place,)
        return masks

    def graph(self, args: Args, label: str, taken: _Taken) -> _Masks:
        """The masks of the outputs of a Functional model, for its inputs."""
        layers = layers_by_name(args)
        connections = Connections.of(args, layers, self.generation)
        inputs = [(tensor.layer, 0) for tensor in flat(connections.inputs)]
        masks_by_call: dict[_Key, _Masks] = {key: (mask,) for key, mask in zip(inputs, taken.masks, strict=False)}
        outer = dict(zip(inputs, taken.tensors, strict=False))
        for name, at, call in connections.in_order():
            explicit = call.kwargs.get("mask") is not None
            tensors = _merged_or_first(layers[name], call)
            masks = () if explicit else _of(tensors, masks_by_call)
            if layers[name].class_name in _RECURRENT and any(masks) and len(call.tensors) > 1:
                self.beside_states(layers[name], join_path(label, name))
            names = [outer.get((tensor.layer, tensor.node)) or _name(taken.place, tensor) for tensor in tensors]
            own = _Taken(masks or (None,), names, call.inputs, join_path(taken.place, f"{name}:{at}"))
            masks_by_call[name, at] = self.layer(layers[name], join_path(label, name), own)
        return _of(flat(connections.outputs), masks_by_call)

    def layer(self, args: Args, label: str, taken: _Taken) -> _Masks:
        """The masks of the outputs of a layer, for the tensors that it is called on."""
        if is_model(args):
            return [mask and mask.out_of(label) for mask in self.model(args, label, taken)]
        name, mask = args.class_name, taken.masks[0]
        if name == "Softmax" and mask is not None and self.plain_softmax:
            self.used([mask.but(label, _USES)])
            return (mask,)
        if _is_own(args) or name in _USING:
            self.used(taken.masks)
        if name == "BatchNormalization" and mask is not None and self.whole_batches:
            self.moments(args, label)
        if name == "Lambda" and mask is not None and StoredFunction(args.config.get("function")).may_take("mask"):
            self.guess(label, _SHAPE_WITHOUT)
        self.masked_steps(args, taken)
        if name == "Embedding" and args.config.get("mask_zero") is True:
            return (Mask(frozenset({f"not 0: {tensor}" for tensor in taken.tensors})),)
        if name == "Masking":
            return (Mask(frozenset({f"{label}: {tensor}" for tensor in taken.tensors})),)
        if name in _LEAVING_OUT and any(taken.masks):
            self.left_out(label, taken.masks)
        if name in _ELEMENTWISE or name == "Concatenate":
            merged = _merged(args, label, taken)
            leaves_out = merged and name in _LEAVING_OUT
            return (replace(merged, unlike=merged.unlike | {(label, _LEFT_OUT)}) if merged and leaves_out else merged,)
        if name in _RECURRENT:
            unlike = {(label, _REPEATS)} if name == "Bidirectional" and self.repeats else ()
            goes_on = gives_sequences(args.class_name, args.config)
            return (mask and replace(mask, unlike=frozenset(unlike)) if goes_on else None,)
        return (mask and _passed_on(args, label, mask),)

    def guess(self, label: str, assumption: str) -> None:
        """Note, once, that nothing uses the outputs of a layer that differ at masked steps."""
        if self.is_new(label, assumption):
            self.journal.guess(label, assumption)

    def refuse(self, label: str, why: str) -> None:
        """Refuse a layer, once for each reason."""
        if self.is_new(label, why):
            self.journal.refuse(label, why)

    def is_new(self, label: str, remark: str) -> bool:
        """Whether a layer has no such remark yet, which it has from now on."""
        is_new = (label, remark) not in self.reported
        self.reported.add((label, remark))
        return is_new

    def moments(self, args: Args, label: str) -> None:
        """Note, once, that a trained layer takes the mean and variance of other steps."""
        if args.config.get("trainable", True) and self.is_new(label, _MOMENTS):
            self.journal.lose(label, _MOMENTS)

    def masked_steps(self, args: Args, taken: _Taken) -> None:
        """Refuse the layers whose outputs differ at masked steps which a layer uses; note those that it may use."""
        if args.class_name in _STEPWISE and _is_stepwise(args, taken.shapes):
            return
        skips = args.class_name in _SKIPPING or args.class_name == "TimeDistributed"
        if _is_own(args) or args.class_name in _UNKNOWN or (skips and _rank(taken.shapes) != 3):
            self.unknown_use(taken.masks)
        elif not skips:
            unlike = {(label, _NUMBERS_USED[why]) for mask in taken.masks if mask for label, why in mask.unlike}
            for place in sorted(unlike):
                self.refuse(*place)

    def unknown_use(self, masks: _Masks) -> None:
        """Note the layers whose outputs differ at masked steps, for a layer or a user that may use them."""
        for label, why in sorted({place for mask in masks if mask for place in mask.unlike}):
            self.guess(label, why)

    def beside_states(self, args: Args, label: str) -> None:
        """Refuse, once, a recurrent layer whose last output a mask decides; else note that its mask is not used."""
        if gives_sequences(args.class_name, args.config):
            self.guess(label, _AT_THE_END)
        else:
            self.refuse(label, _UNUSED)

    def left_out(self, label: str, masks: _Masks) -> None:
        """Refuse, once, a merge that leaves inputs out at steps that others have."""
        if not _are_the_same(masks):
            self.reported.add((label, _MERGES))  # the same merge: one reason is enough
            self.refuse(label, _LEAVES_OUT)

    def used(self, masks: _Masks) -> None:
        """Refuse the layers through which these masks, which a layer uses, differ in Keras 3."""
        for place in sorted({place for mask in masks if mask for place in mask.changed}):
            self.refuse(*place)


def _passed_on(args: Args, label: str, mask: Mask) -> Mask | None:
    """The mask after a layer with one input, which neither makes nor merges masks."""
    if args.config.get("activation") == "hard_sigmoid" and args.class_name == "Activation":
        return mask.out_of(label)  # it becomes a model, with a Rescaling before it
    if args.class_name in _LOSING:
        return mask.but(label, _LOSES)
    if args.class_name in _FINDING:
        return mask.but(label, _FINDS)
    return mask if _is_own(args) or args.class_name in _PASSING else None


def _of(tensors: Iterable[Tensor], masks_by_call: Mapping[_Key, _Masks]) -> list[Mask | None]:
    """The masks of tensors, None for those without."""
    masks = [(masks_by_call.get((tensor.layer, tensor.node), ()), tensor.output) for tensor in tensors]
    return [of[at] if 0 <= at < len(of) else None for of, at in masks]


def _merged_or_first(args: Args, call: Call) -> Sequence[Tensor]:
    """The tensors of a call whose masks a layer receives: the states of a recurrent layer have none."""
    return call.tensors[:1] if args.class_name in _RECURRENT else call.tensors


def _merged(args: Args, label: str, taken: _Taken) -> Mask | None:
    """The mask of the output of a merge. Where it concatenates steps of time, both generations concatenate their masks,
    too."""
    present = [mask for mask in taken.masks if mask is not None]
    present = [mask.concatenated() for mask in present] if args.class_name == "Concatenate" else present
    if not present:
        return None
    changed = frozenset[tuple[str, str]]().union(*(mask.changed for mask in present))
    unlike = frozenset[tuple[str, str]]().union(*(mask.unlike for mask in present))
    whole = Mask(frozenset[str]().union(*(mask.sources for mask in present)), changed, unlike=unlike)
    if args.class_name == "Concatenate" and _in_time(args.config.get("axis", -1), taken.shapes):
        return replace(whole, sources=frozenset({taken.place}))
    return whole if _are_the_same(taken.masks) else whole.but(label, _MERGES)


def _are_the_same(masks: _Masks) -> bool:
    """Whether all tensors have the same mask."""
    return None not in masks and len({mask.sources for mask in masks if mask is not None}) == 1


def _is_own(args: Args) -> bool:
    """Whether a layer is none of Keras."""
    return args.foreign or (args.class_name not in LAYERS and args.class_name not in OLD_LAYERS)


def _is_stepwise(args: Args, shapes: Iterable[Shape | None]) -> bool:
    """Whether a layer that may compute each step of its own does so."""
    rank = _rank(shapes)
    if args.class_name == "TimeDistributed":
        return rank == 3
    if args.class_name not in _NORMALIZING:
        return True
    axis = args.config.get("axis", -1)
    return all(each in (-1, rank and rank - 1) for each in (axis if isinstance(axis, list) else [axis]))


def _name(place: str, tensor: Tensor) -> str:
    """A name of a tensor that no other in the model has."""
    return join_path(place, f"{tensor.layer}:{tensor.node}:{tensor.output}")


def _rank(shapes: Iterable[Shape | None]) -> int | None:
    return next((len(shape) for shape in shapes if shape is not None), None)


def _in_time(axis: Any, shapes: Iterable[Shape | None]) -> bool:
    rank = _rank(shapes)
    return axis == 1 if rank is None else rank > 2 and axis in (1, 1 - rank)
