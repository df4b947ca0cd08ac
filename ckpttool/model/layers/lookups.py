"""Layers that look values up in a vocabulary: IntegerLookup, StringLookup and TextVectorization.

A vocabulary is no weight. It is in the config, where the layer was given it as a list, or else an asset of a `.keras`;
no other form of checkpoint keeps it. In tf_idf mode a layer has the weights of its words as well, under a name of their
own and not among `layer.weights` (keras/src/layers/preprocessing/index_lookup.py and text_vectorization.py, 3.15; the
same in 2.13 to 2.15).
"""

from dataclasses import replace
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import at_least, sole
from ckpttool.model.layers.categories import encoded
from ckpttool.model.layers.layer_type import Build, LayerType, Trait
from ckpttool.model.layers.work import no_work
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import Inputs, Size
from ckpttool.model.slots import Part, Slot, Vocabulary

IDF_WEIGHTS = "idf_weights"

_INNER = "_lookup_layer"
_COUNT = "num_oov_indices"
_TF_IDF = ("tf_idf", "tf-idf")  # the second up to TensorFlow 2.4
_OLD_WEIGHTS = "tf_idf_weights"  # up to TensorFlow 2.4
_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf", "binary", "tf-idf")


def lookup_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """IntegerLookup and StringLookup."""
    return _lookup(args, args.part(*_weights(args)))


def lookup_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """StringLookup and IntegerLookup: the same for numbers, else as many as there are words."""
    mode, shape = args.choice("output_mode", *_MODES), sole(args, call)
    depth = _vocabulary_size(args)
    return (shape if shape is None or mode == "int" else encoded(shape, depth, mode),)


def text_vectorization_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """TextVectorization: a StringLookup in it keeps the vocabulary and the weights, and both write them."""
    inner = args.child("StringLookup", "string_lookup")
    lookup = _lookup(args, inner.part(*_weights(args)))
    own = (replace(slot, borrowed=_INNER) for slot in _weights(args))
    return _lookup(args, args.part(*own, children=[(_INNER, lookup)]))


def text_vectorization_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """TextVectorization: `output_sequence_length` numbers, else as StringLookup does of the words of each text."""
    mode, shape = args.choice("output_mode", *_MODES), sole(args, call)
    length, depth = args.rank("output_sequence_length"), _vocabulary_size(args)
    if shape is None:
        return (None,)
    if mode == "int":
        return ((at_least(args, shape, 1)[0], length),)  # type: ignore[index]
    split = args.config.get("split", "whitespace") is not None
    return (encoded((*shape, None) if split else shape if len(shape) > 1 else (*shape, 1), depth, mode),)


def is_weighted(args: Args) -> bool:
    """Whether a layer has weights for its words."""
    return args.config.get("output_mode") in _TF_IDF


def _weights(args: Args) -> list[Slot]:
    if not is_weighted(args):
        return []
    size = (_vocabulary_size(args),)
    return [Slot(IDF_WEIGHTS, size, trainable=False, key=IDF_WEIGHTS, listed=False, tracked=_OLD_WEIGHTS)]


def _lookup(args: Args, part: Part) -> Part:
    """The part with where its vocabulary is: in the config, else in the assets, where a path in the config is read
    before."""
    source = args.config.get("vocabulary")
    listed = len(source) if isinstance(source, list) and source else None
    padded = bool(part.slots) and args.config.get("pad_to_max_tokens") is True
    entries = Vocabulary(listed, source if isinstance(source, str) else "", padded)
    return replace(part, assets=listed is None, vocabulary=entries)


def _vocabulary_size(args: Args) -> Size:
    """The size of a vocabulary: `max_tokens` where it is filled up, else what the config counted or lists, None before
    that. TensorFlow up to 2.10 did not write the count."""
    if args.flag("pad_to_max_tokens", False):
        return args.size("max_tokens")
    listed = listed_vocabulary(args)
    if args.config.get("vocabulary_size") is not None or not listed:
        return args.rank("vocabulary_size")
    return first_number(args) + len(listed)


def listed_vocabulary(args: Args) -> list[Any]:
    """The words of a vocabulary that the config lists, without the special entries; none where it lists none."""
    listed, first = args.config.get("vocabulary"), first_number(args)
    if not isinstance(listed, list):
        return []
    has_special = len(listed) >= first and listed[:first] == special_entries(args)
    return listed[first:] if has_special else listed


def first_number(args: Args) -> int:
    """The number of the first word: that of the entries before it."""
    return len(_masks(args)) + (1 if args.class_name == "TextVectorization" else max(0, args.integer(_COUNT, 1) or 0))


def special_entries(args: Args) -> list[Any]:
    """The entries before the words: that of the mask where outputs are numbers, then those of unknown words. Their
    number is as the config says, without bounds."""
    masks = _masks(args)
    return masks + [_special(args, "oov", "[UNK]")] * (first_number(args) - len(masks))


def special_entry(args: Args, number: int) -> Any:
    """The entry under a number before that of the first word."""
    masks = _masks(args)
    return masks[number] if number < len(masks) else _special(args, "oov", "[UNK]")


def _masks(args: Args) -> list[Any]:
    mask = _special(args, "mask", "")
    return [mask] if mask is not None and args.config.get("output_mode", "int") in ("int", None) else []


def _special(args: Args, kind: str, of_texts: str) -> Any:
    """A special entry; in TensorFlow 2.3 that of an IntegerLookup has another name, and a TextVectorization names
    none."""
    if args.class_name == "TextVectorization":
        return of_texts
    return args.config.get(f"{kind}_token", args.config.get(f"{kind}_value"))


ROWS = {
    "IntegerLookup": LayerType(lookup_weights, lookup_outputs, kind="lookup", work=no_work),
    "StringLookup": LayerType(lookup_weights, lookup_outputs, kind="lookup", work=no_work),
    "TextVectorization": LayerType(
        text_vectorization_weights,
        text_vectorization_outputs,
        kind="lookup",
        work=no_work,
        traits=Trait.INNER_LOOKUP,
    ),
}
