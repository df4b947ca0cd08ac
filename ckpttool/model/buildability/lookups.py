"""Layers that look values up in a vocabulary (`IndexLookup`, keras/src/layers/preprocessing/index_lookup.py, 3.15)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite, trunc
from types import UnionType
from typing import Any

from ckpttool.model.buildability.context import Refused, shown

Refuse = Callable[[str, str], Refused]
Arguments = Mapping[str, Any]
EntryType = type | UnionType
_OLD_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def check_lookup(arguments: Arguments, refuse: Refuse, kind: EntryType) -> None:
    """Raise Refused where arguments of a lookup contradict each other; `kind` is the type of the entries."""
    mode = arguments.get("output_mode", "int")
    mode = _OLD_MODES.get(mode, mode)
    if arguments.get("pad_to_max_tokens") and arguments.get("max_tokens") is None:
        raise refuse("pad_to_max_tokens", "max_tokens is not given")
    if arguments.get("invert") and mode != "int":
        raise refuse("invert", f"output_mode is {shown(mode)}; Keras takes int then")
    if arguments.get("sparse") and mode == "int":
        raise refuse("sparse", "outputs are sparse, and output_mode is int; Keras takes another mode then")
    if arguments.get("idf_weights") is not None and mode != "tf_idf":
        raise refuse("idf_weights", f"output_mode is {shown(mode)}; Keras takes tf_idf then")
    mask = arguments.get("mask_token")
    if mask is not None and not _is_entry(mask, kind):
        raise refuse("mask_token", f"it is {shown(mask)}, which is no word of such a layer")
    vocabulary = arguments.get("vocabulary")
    has_vocabulary = arguments.get("has_input_vocabulary", vocabulary is not None)
    if mode == "tf_idf" and has_vocabulary and arguments.get("idf_weights") is None:
        raise refuse("idf_weights", "there is a vocabulary for tf_idf, and no weights for it")
    if vocabulary is not None:
        _check_entries(vocabulary, refuse, kind)
        _check_vocabulary(list(vocabulary), arguments, mode, refuse)


def _is_entry(value: Any, kind: EntryType) -> bool:
    return isinstance(value, kind) and not isinstance(value, float)


def _check_entries(vocabulary: Any, refuse: Refuse, kind: EntryType) -> None:
    """Raise Refused for a vocabulary that is no list of such entries; NumPy makes all entries strings where one is."""
    if isinstance(vocabulary, str):
        why = f"it is read from the file {shown(vocabulary)}, which is no part of the checkpoint"
        raise Refused(replace(refuse("vocabulary", why).obstacle, outside=True))
    if not isinstance(vocabulary, list | tuple) or not vocabulary:
        raise refuse("vocabulary", f"it is {shown(vocabulary)}; Keras takes a list of words")
    if not all(isinstance(word, str | int | float) for word in vocabulary):
        raise refuse("vocabulary", "some of it are neither strings nor numbers")
    if any(isinstance(word, str) for word in vocabulary) != (kind is str):
        raise refuse("vocabulary", f"it is {shown(vocabulary)}, and the layer looks up {_called(kind)}")


def _called(kind: EntryType) -> str:
    return "strings" if kind is str else "whole numbers"


def _check_vocabulary(vocabulary: list[Any], arguments: Arguments, mode: Any, refuse: Refuse) -> None:
    """Raise Refused for a vocabulary that `set_vocabulary` refuses."""
    mask, unknown = arguments.get("mask_token"), arguments.get("oov_token")
    masks = [mask] if mask is not None and mode == "int" else []
    special = masks + [unknown] * _count(arguments.get("num_oov_indices", 1), vocabulary)
    tokens = vocabulary[len(special) :] if vocabulary[: len(special)] == special else vocabulary
    if not tokens:
        raise refuse("vocabulary", "it has the words for masks and unknown ones only")
    if len(set(map(_key, tokens))) < len(tokens):
        raise refuse("vocabulary", "it has an entry twice")
    if mask is not None and mask in tokens:
        raise refuse("mask_token", f"{shown(mask)} is in the vocabulary, and not at its start")
    if arguments.get("invert") and unknown is not None and unknown in tokens:
        raise refuse("oov_token", f"{shown(unknown)} is in the vocabulary, and not at its start")
    most = arguments.get("max_tokens")
    beside = len(masks) + arguments.get("num_oov_indices", 1)
    if most is not None and len(tokens) + beside > most:
        why = f"it is {shown(most)}, less than the vocabulary of {len(tokens)} and {beside} more"
        raise refuse("max_tokens", why)
    weights = arguments.get("idf_weights")
    if isinstance(weights, list) and len(weights) != len(vocabulary):
        raise refuse("idf_weights", f"{len(weights)} weights for a vocabulary of {len(vocabulary)}")


def _key(word: Any) -> Any:
    """The key of a word in the vocabulary: numbers lose their parts behind the point."""
    return trunc(word) if isinstance(word, float) and isfinite(word) else word


def _count(value: Any, vocabulary: list[Any]) -> int:
    """The number of entries for unknown words that are worth comparing with a vocabulary."""
    return min(+value, len(vocabulary) + 1) if isinstance(value, int) else 0
