"""Vocabularies that are not in the config: constants of a graph of TensorFlow, a file among the assets, or, up to
TensorFlow 2.4, the tensors of a table in the checkpoint.

The config of an adapted layer has no vocabulary; if the layer read it from a file, the config has the path on the
machine of the writer. The layer's table has the words in the order of their numbers, which follow those of the special
tokens (`IndexLookup._token_start_index`, keras/src/layers/preprocessing/index_lookup.py, 2.15).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ckpttool.alignment.alignment import Alignment, align
from ckpttool.alignment.object_graphs import attribute, layers_in_graph
from ckpttool.alignment.vocabularies import FILE, INNER, by_keras3_path, lookups_of, outermost
from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.errors import CheckpointError
from ckpttool.formats.assets import read_assets
from ckpttool.io import scalars
from ckpttool.model import Architecture, with_config
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.arguments import Args
from ckpttool.model.layers.lookups import (
    IDF_WEIGHTS,
    first_number,
    is_weighted,
    listed_vocabulary,
    special_entries,
    special_entry,
)
from ckpttool.model.layers.table import of_kind
from ckpttool.model.layouts import lookups_in
from ckpttool.object_graph import ObjectGraph
from ckpttool.paths import join_path
from ckpttool.saved_model import LookupTable

WRITE_VOCABULARY = Edit(
    "write-vocabulary",
    "writes the vocabulary into the config, which was kept in a graph, in a checkpoint or among the assets",
    "always: the same words under the same numbers",
)
EDITS = (WRITE_VOCABULARY,)

_LOOKUPS = of_kind("lookup")
_TABLES = ("lookup_table", "_table")
_STORED_KEYS = "table-keys"  # ends the name of the tensor with the keys of a table
_MAX_ENTRIES = 10_000_000
_OTHER_ENTRIES = (
    "the file has weights for its words (mode tf_idf) and no words, and --arch has words with other weights: take the "
    "model that these weights were saved of"
)


Vocabulary = list[str] | list[int]


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stored vocabulary of a layer: its table, unless the config lists the words, and, in mode tf_idf, the weights
    of its words."""

    table: LookupTable | None
    weights: Weight | None = None


def with_vocabularies(architecture: Architecture, checkpoint: Checkpoint, journal: Journal) -> Architecture:
    """The architecture with the vocabularies of the tables in its file of TensorFlow; unchanged for other formats."""
    if not isinstance(architecture.config, Mapping) or (
        checkpoint.object_graph is None and checkpoint.saved_model is None
    ):
        return architecture
    tables = _tables_of(architecture, checkpoint)
    weights = _word_weights(align(checkpoint, architecture))
    vocabularies = {label: _Stored(tables.get(label), weights.get(label)) for label in (*tables, *weights)}
    return _with_filled(architecture, vocabularies, checkpoint, journal)


def lacks_vocabulary(architecture: Architecture) -> bool:
    """Whether the config of a layer that looks values up does not list them. Raises ConfigError."""
    lookups = lookups_in(part_in(architecture)) if isinstance(architecture.config, Mapping) else ()
    return any(part.vocabulary is not None and part.vocabulary.entries is None for _, _, part in lookups)


def with_own_vocabularies(
    architecture: Architecture, holder: Checkpoint, source: Checkpoint, journal: Journal
) -> Architecture:
    """An architecture with the vocabularies in the SavedModel or `.keras` that it comes from, for weights of another
    file which has none.

    In mode tf_idf words have weights, which the source has as well: where these differ, its words are others, and the
    layer is refused.
    """
    if not isinstance(architecture.config, Mapping):
        return architecture
    others = (_tables_of(architecture, source) | _tables_of_assets(architecture, source)).keys()
    tables = _tables_of(architecture, holder) | _tables_of_assets(architecture, holder)
    beside = _word_weights(align(holder, architecture))
    vocabularies = {}
    for label in [label for label in tables if label not in others]:
        if label in beside and _weighs_other_entries(label, beside[label], align(source, architecture)):
            journal.refuse(label, _OTHER_ENTRIES)
        else:
            vocabularies[label] = _Stored(tables[label], beside.get(label))
    return _with_filled(architecture, vocabularies, holder, journal)


def _weighs_other_entries(label: str, weights: Weight, source: Alignment) -> bool:
    """Whether a source has weights for the words of a layer, and others than these."""
    own = _word_weights(source).get(label)
    if own is None:  # its shape may be another
        return any(IDF_WEIGHTS in weight.path for weight in source.left)
    return not np.array_equal(own.read(), weights.read())


def _tables_of_assets(architecture: Architecture, checkpoint: Checkpoint) -> dict[str, LookupTable]:
    """The tables in the assets of a `.keras` for the layers that lack their vocabulary, by the labels of these layers.

    An asset has the entry of every number, a line each (`IndexLookup.save_assets`,
    keras/src/layers/preprocessing/index_lookup.py, 3.15; the same in 2.13 to 2.15).
    """
    if not checkpoint.format.is_whole:
        return {}
    assets = by_keras3_path(read_assets(checkpoint))
    layers = {layer.path: Args.of(layer.entry) for layer in architecture.layers}
    return {
        lookup.layer: _table_of_lines(layers[lookup.layer], assets[f"{lookup.place}/{FILE}"])
        for lookup in outermost(lookups_of(part_in(architecture), assets))
        if lookup.source == "asset" and lookup.layer in layers
    }


def _table_of_lines(args: Args, raw: bytes) -> LookupTable:
    """The table of the lines of an asset. A line that is no number stays a text in that of an IntegerLookup."""
    lines = tuple(raw.split(b"\n")) if raw else ()
    entries: tuple[Any, ...] = lines
    if args.class_name == "IntegerLookup":
        numbers = [scalars.signed_digits(line.decode("utf-8", "replace")) for line in lines]
        entries = tuple(line if number is None else number for line, number in zip(lines, numbers, strict=True))
    pair = (entries, tuple(range(len(entries))))
    return LookupTable(*(reversed(pair) if args.config.get("invert") is True else pair))


def _tables_of(architecture: Architecture, checkpoint: Checkpoint) -> dict[str, LookupTable]:
    """The tables in a file of TensorFlow for the layers that lack their vocabulary, by the labels of these layers."""
    saved, stored = checkpoint.saved_model, checkpoint.object_graph
    tables = dict[str, LookupTable]()
    if stored is not None and any(path.endswith(_STORED_KEYS) for path in checkpoint.weights):
        tables |= _layer_tables(architecture, stored, _stored_tables(checkpoint, stored))
    if saved is not None and saved.tables:
        tables |= _layer_tables(architecture, saved.objects, saved.tables)
    return tables


def _with_filled(
    architecture: Architecture, vocabularies: Mapping[str, _Stored], checkpoint: Checkpoint, journal: Journal
) -> Architecture:
    """The architecture with vocabularies, which are given by the labels of layers, or are assets of a checkpoint."""
    has_assets = any(stored.table is not None and stored.table.asset for stored in vocabularies.values())
    assets = read_assets(checkpoint) if has_assets else {}
    config = architecture.config
    filled = _filled(config, "", vocabularies, assets, journal)
    return architecture if filled is config else with_config(architecture, filled) or architecture


def _word_weights(alignment: Alignment) -> dict[str, Weight]:
    """The weights of words in mode tf_idf, by the labels of their layers."""
    pairs = ((aligned.place, aligned.stored[0].weight) for aligned in alignment.aligned)
    return {place.layer: weight for place, weight in pairs if place.slot.name == IDF_WEIGHTS}


def _stored_tables(checkpoint: Checkpoint, objects: ObjectGraph) -> Mapping[int, LookupTable]:
    """The tables among the tensors of a checkpoint, by the numbers of their objects, as TensorFlow 2.3 and 2.4
    wrote them (`MutableHashTable`, tensorflow/python/ops/lookup_ops.py, 2.3)."""
    tables = {}
    for number, node in enumerate(objects.nodes):
        for tensor in node.attributes:
            keys, values = (checkpoint.weights.get(f"{tensor.key}-{part}") for part in ("keys", "values"))
            if keys is not None and values is not None and keys.shape == values.shape and keys.size <= _MAX_ENTRIES:
                tables[number] = LookupTable(tuple(keys.read().tolist()), tuple(values.read().tolist()))
    return tables


def _layer_tables(
    architecture: Architecture, objects: ObjectGraph, tables: Mapping[int, LookupTable]
) -> dict[str, LookupTable]:
    """The tables of the layers that lack their vocabulary, by the labels of these layers."""
    by_label = {}
    for label, part, node in layers_in_graph(part_in(architecture), objects):
        if part.vocabulary is None or part.vocabulary.entries is not None:
            continue
        inner = attribute(INNER, node, objects)  # of a TextVectorization
        holders = (node,) if inner is None else (node, inner)
        candidates = (objects.nodes[holder].child(name) for holder in holders for name in _TABLES)
        table = next((tables[number] for number in candidates if number is not None and number in tables), None)
        if table is not None:
            by_label[label] = table
    return by_label


def _filled(
    model: Mapping[str, Any],
    label: str,
    vocabularies: Mapping[str, _Stored],
    assets: Mapping[str, bytes],
    journal: Journal,
) -> Mapping[str, Any]:
    """The entry of a model whose layers have their vocabularies; the same object where none gets one."""
    inner = model.get("config")
    entries = inner.get("layers") if isinstance(inner, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(entries, list):
        return model
    changed = []
    for entry in entries:
        args = Args.of(entry)
        place = join_path(label, args.name)
        if place in vocabularies and args.class_name in _LOOKUPS:
            changed.append(_with_vocabulary(entry, args, place, vocabularies[place], assets, journal))
        else:
            inside = any(known.startswith(f"{place}/") for known in vocabularies)
            changed.append(_filled(entry, place, vocabularies, assets, journal) if inside else entry)
    if all(new is old for new, old in zip(changed, entries, strict=True)):
        return model
    return {**model, "config": {**inner, "layers": changed}}


def _with_vocabulary(
    entry: Mapping[str, Any],
    args: Args,
    label: str,
    stored: _Stored,
    assets: Mapping[str, bytes],
    journal: Journal,
) -> Mapping[str, Any]:
    """The entry of a layer with its vocabulary and, in mode tf_idf, the weights of its words."""
    if stored.table is None and not _lacks_weights(args):
        return entry
    try:
        args = _numbered(args, stored.table)
        entries = _entries(args, stored.table, assets)
        weighted = _weighted(args, entries, stored.weights) if is_weighted(args) else {"vocabulary": entries}
    except CheckpointError as error:
        journal.refuse(label, f"a vocabulary that cannot be written: {error.what}")
        return entry
    journal.edit(WRITE_VOCABULARY, label, f"{len(entries):,} words")
    return {**entry, "config": {**args.config, **_limit(args, entries), **weighted}}


def _numbered(args: Args, table: LookupTable | None) -> Args:
    """The arguments of a layer without numbers of unknown words, where its table has words under these.

    The IntegerLookup of TensorFlow 2.3 that gives words for numbers begins with the words, whatever its config says
    (`set_vocabulary`, tensorflow/python/keras/layers/preprocessing/index_lookup.py, 2.3).
    """
    if table is None or table.asset or args.config.get("invert") is not True:
        return args
    if all(_is_special(args, number, word) for number, word in _first_entries(args, table)):
        return args
    return replace(args, config={**args.config, "num_oov_indices": 0})


def _first_entries(args: Args, table: LookupTable) -> Iterator[tuple[int, Any]]:
    """The numbers of a table before that of the first word, with what it has under them."""
    first = first_number(args)
    return ((number, word) for number, word in _pairs(args, table) if isinstance(number, int) and number < first)


def _is_special(args: Args, number: int, word: Any) -> bool:
    """Whether the entry of a table is what the config says of its number: the mask, or an unknown word."""
    return _of_one_kind([word]) == [special_entry(args, number)]


def _pairs(args: Args, table: LookupTable) -> Iterator[tuple[Any, Any]]:
    """The numbers and words of a table."""
    inverse = args.config.get("invert") is True
    keys, values = (table.values, table.keys) if inverse else (table.keys, table.values)
    return zip(values, keys, strict=True)


def _lacks_weights(args: Args) -> bool:
    """Whether the config of a layer in mode tf_idf has its words without their weights, as TensorFlow 2.6 wrote it."""
    return is_weighted(args) and bool(listed_vocabulary(args)) and args.config.get("idf_weights") is None


def _entries(args: Args, table: LookupTable | None, assets: Mapping[str, bytes]) -> Vocabulary:
    """The words of a layer, without the special entries. Raises CheckpointError where they cannot be told."""
    if table is None:
        return listed_vocabulary(args)
    return _entries_of_file(args, table, assets) if table.asset else _entries_of_table(args, table)


def _limit(args: Args, entries: Vocabulary) -> dict[str, Any]:
    """No limit for a file with more words than `max_tokens`, which Keras 2 did not count. A layer that is filled up to
    the limit needs it."""
    limit, padded = args.integer("max_tokens"), args.config.get("pad_to_max_tokens") is True
    exceeded = limit is not None and first_number(args) + len(entries) > limit
    return {"max_tokens": None} if exceeded and not padded else {}


def _weighted(args: Args, entries: Vocabulary, weights: Weight | None) -> dict[str, Any]:
    """The arguments of a layer in mode tf_idf: its vocabulary behind the unknown words, which have weights as well.

    Without unknown words, Keras would weigh them with the mean of the others. The weights of a layer that is filled up
    end with zeros, which Keras adds again (`IndexLookup.set_vocabulary`, 3.15). Raises CheckpointError where there are
    not as many weights.
    """
    count, stored = first_number(args) + len(entries), 0 if weights is None else weights.size
    padded = args.config.get("pad_to_max_tokens") is True
    if weights is None or stored < count or (stored != count and not padded):
        raise CheckpointError(f"of {count:,} weights of words there are {stored:,}")
    values = weights.read().ravel()[:count].tolist()
    return {"vocabulary": special_entries(args) + entries, "idf_weights": values}


def _entries_of_table(args: Args, table: LookupTable) -> Vocabulary:
    """The words of a table in the order of their numbers. Raises CheckpointError where the numbers have gaps."""
    first = first_number(args)
    pairs = sorted((number, word) for number, word in _pairs(args, table) if isinstance(number, int))
    numbered = [(number, word) for number, word in pairs if number >= first]
    odd = [word for number, word in _first_entries(args, table) if not _is_special(args, number, word)]
    if odd:
        raise CheckpointError("a word has the number of the mask or of unknown words", found=f"{odd[0]!r:.60}")
    if len(pairs) != len(table.keys) or [number for number, _ in numbered] != list(range(first, first + len(numbered))):
        raise CheckpointError("its numbers do not follow each other", expected=f"{first} and on")
    return _of_one_kind([word for _, word in numbered])


def _of_one_kind(entries: list[Any]) -> Vocabulary:
    """The words as texts or numbers for a config. Raises CheckpointError for bytes that are no text."""
    try:
        return [word.decode() if isinstance(word, bytes) else word for word in entries]
    except UnicodeDecodeError as error:
        raise CheckpointError("a word is no text in UTF-8") from error


def _entries_of_file(args: Args, table: LookupTable, assets: Mapping[str, bytes]) -> Vocabulary:
    """The lines of an asset, as TensorFlow reads them (`InputBuffer::ReadLine`, tensorflow/tsl/lib/io/inputbuffer.cc).

    Raises CheckpointError where the asset is missing, or where a line of an IntegerLookup is no number.
    """
    if table.asset not in assets:
        raise CheckpointError("its file is not among the assets", found=table.asset)
    lines = assets[table.asset].replace(b"\r", b"").removesuffix(b"\n").split(b"\n")
    entries = _of_one_kind(lines)
    if args.class_name != "IntegerLookup":
        return entries
    numbers = [scalars.digits(str(word)) for word in entries]
    whole = [number for number in numbers if number is not None]
    if len(whole) != len(numbers):
        raise CheckpointError("a line of its file is no whole number")
    return whole
