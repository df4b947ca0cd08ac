"""Layers that look values up in a vocabulary: IntegerLookup, StringLookup and TextVectorization.

A vocabulary is no weight. It is in the config, where the layer was given it as a list, or else an asset of a `.keras`;
no other form of checkpoint keeps it. In tf_idf mode a layer has the weights of its words as well, under a name of their
own and not among `layer.weights` (keras/src/layers/preprocessing/index_lookup.py and text_vectorization.py, 3.15; the
same in 2.13 to 2.15).
"""

from dataclasses import replace

from ckpttool.model.arguments import Args
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part, Slot, Vocabulary

LOOKUPS = frozenset({"IntegerLookup", "StringLookup", "TextVectorization"})
IDF_WEIGHTS = "idf_weights"
TF_IDF = frozenset({"tf_idf", "tf-idf"})  # the second up to TensorFlow 2.4

_INNER = "_lookup_layer"


def index_lookup(args: Args, inputs: Inputs) -> Part:
    """IntegerLookup and StringLookup."""
    return _lookup(args, args.part(*_weights(args)))


def text_vectorization(args: Args, inputs: Inputs) -> Part:
    """TextVectorization: a StringLookup in it keeps the vocabulary and the weights, and both write them."""
    inner = args.made("StringLookup", "string_lookup")
    held = _lookup(args, inner.part(*_weights(args)))
    own = (replace(slot, borrowed=_INNER) for slot in _weights(args))
    return _lookup(args, args.part(*own, children=[(_INNER, held)]))


def _weights(args: Args) -> list[Slot]:
    if args.config.get("output_mode") not in TF_IDF:
        return []
    padded = args.config.get("pad_to_max_tokens") is True
    size = args.rank("max_tokens" if padded else "vocabulary_size")
    return [Slot(IDF_WEIGHTS, (size,), trainable=False, key=IDF_WEIGHTS, listed=False)]


def _lookup(args: Args, part: Part) -> Part:
    """The part with where its vocabulary is: in the config, else in the assets, where a path in the config is read
    before."""
    given = args.config.get("vocabulary")
    listed = len(given) if isinstance(given, list) and given else None
    padded = bool(part.slots) and args.config.get("pad_to_max_tokens") is True
    found = Vocabulary(listed, given if isinstance(given, str) else "", padded)
    return replace(part, assets=listed is None, vocabulary=found)
