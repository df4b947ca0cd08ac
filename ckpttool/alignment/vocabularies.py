"""The vocabularies of a checkpoint: the layers that look values up, where their entries are stored, which are missing.

A vocabulary that was passed as a list is in the config. Any other is in `vocabulary.txt` among the assets of a
`.keras`, one entry a line; an `.h5` has no place for it (`IndexLookup.save_assets`,
keras/src/layers/preprocessing/index_lookup.py, 3.15). A layer whose vocabulary is missing raises when it is called.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ckpttool.checkpoint import Checkpoint
from ckpttool.escape import brief
from ckpttool.formats.assets import asset_sizes, read_assets
from ckpttool.formats.weight_paths import keras3_path
from ckpttool.model.layers.layer_type import Trait
from ckpttool.model.layers.table import with_trait
from ckpttool.model.layouts import lookups_in
from ckpttool.model.slots import Part

FILE = "vocabulary.txt"
_HOLDING = with_trait(Trait.INNER_LOOKUP)
INNER = "_lookup_layer"  # the StringLookup of a TextVectorization, which has a copy of its vocabulary


class Lookup(NamedTuple):
    """A layer that looks values up: its chain of names, its class, and where its vocabulary is.

    `place` is the path of its folder among the assets, `file` a path or address in the config, `entries` the number of
    entries where they are stored and were counted. `source` is "config", "asset", "file" or "missing".
    """

    layer: str
    class_name: str
    place: str
    source: str
    entries: int | None = None
    file: str = ""
    is_padded: bool = False

    def __repr__(self) -> str:
        return brief(self)

    @property
    def asset(self) -> str:
        """The path of its vocabulary in a `.keras`."""
        return f"assets/{self.place}/{FILE}"


def lookups_of(model: Part, assets: Iterable[str]) -> Iterator[Lookup]:
    """The lookups of a model; `assets` are the paths of its assets in the form of Keras 3."""
    stored = set(assets)
    for layer, place, part in lookups_in(model):
        vocabulary = part.vocabulary
        assert vocabulary is not None
        source = "asset" if f"{place}/{FILE}" in stored else "file" if vocabulary.file else "missing"
        source = source if part.assets else "config"
        yield Lookup(layer, part.class_name, place, source, vocabulary.entries, vocabulary.file, vocabulary.is_padded)


def lookups_in_checkpoint(checkpoint: Checkpoint, model: Part) -> tuple[Lookup, ...]:
    """The lookups of a model in its whole checkpoint. Raises CheckpointError where assets cannot be listed."""
    return tuple(lookups_of(model, map(keras3_path, asset_sizes(checkpoint))))


def with_entry_counts(checkpoint: Checkpoint, lookups: Iterable[Lookup]) -> Iterator[tuple[Lookup, int | None]]:
    """The lookups, each with the number of its entries; None where they are not stored.

    The number of entries in an asset includes the special tokens. Raises CheckpointError where assets cannot be read.
    """
    listed = list(lookups)
    assets = by_keras3_path(read_assets(checkpoint)) if any(lookup.source == "asset" for lookup in listed) else {}
    for lookup in listed:
        raw = assets.get(f"{lookup.place}/{FILE}") if lookup.source == "asset" else None
        yield lookup, lookup.entries if raw is None else raw.count(b"\n") + 1


def by_keras3_path(assets: Mapping[str, bytes]) -> dict[str, bytes]:
    """The assets by the paths that Keras 3 has for them."""
    return {keras3_path(path): raw for path, raw in assets.items()}


def outermost(lookups: Iterable[Lookup]) -> list[Lookup]:
    """The lookups without those inside another: without the StringLookup of a TextVectorization."""
    listed = list(lookups)
    whole = {lookup.layer for lookup in listed if lookup.class_name in _HOLDING}
    return [lookup for lookup in listed if lookup.layer.rpartition("/")[0] not in whole]
