"""The vocabularies of a checkpoint: which layers look values up, where their entries are kept, and which are nowhere.

A vocabulary is in the config where it was given as a list, else in `vocabulary.txt` among the assets of a `.keras`, one
entry a line; an `.h5` has no place for it (`IndexLookup.save_assets`, keras/src/layers/preprocessing/index_lookup.py,
3.15). A layer without it raises when it is called.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ckpttool.checkpoint import Checkpoint
from ckpttool.formats.assets import asset_sizes, read_assets
from ckpttool.formats.weights_h5 import as_keras_3, split
from ckpttool.model.layouts import lookups_in
from ckpttool.model.slots import Part

FILE = "vocabulary.txt"
INNER = "_lookup_layer"  # the StringLookup of a TextVectorization, which keeps a copy
WHOLE = frozenset({"keras-zip", "keras-dir", "legacy-model"})
"""The kinds of checkpoints that Keras loads as models, with their vocabularies."""


@dataclass(frozen=True, slots=True)
class Lookup:
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

    @property
    def asset(self) -> str:
        """The path of its vocabulary in a `.keras`."""
        return f"assets/{self.place}/{FILE}"


def lookups_of(model: Part, assets: Iterable[str]) -> Iterator[Lookup]:
    """The lookups of a model with these assets, by their paths in the words of Keras 3."""
    stored = set(assets)
    for layer, place, part in lookups_in(model):
        found = part.vocabulary
        assert found is not None
        source = "asset" if f"{place}/{FILE}" in stored else "file" if found.file else "missing"
        source = source if part.assets else "config"
        yield Lookup(layer, part.class_name, place, source, found.entries, found.file, found.is_padded)


def lookups_in_checkpoint(checkpoint: Checkpoint, model: Part) -> tuple[Lookup, ...]:
    """The lookups of a model whose whole checkpoint this is. Raises CheckpointError where assets cannot be listed."""
    return tuple(lookups_of(model, map(path_today, asset_sizes(checkpoint))))


def counted(checkpoint: Checkpoint, lookups: Iterable[Lookup]) -> Iterator[tuple[Lookup, int | None]]:
    """The lookups with the number of their entries, special tokens included where they are assets; None where they are
    not stored. Raises CheckpointError where assets cannot be read."""
    found = list(lookups)
    assets = by_path_today(read_assets(checkpoint)) if any(one.source == "asset" for one in found) else {}
    for one in found:
        raw = assets.get(f"{one.place}/{FILE}") if one.source == "asset" else None
        yield one, one.entries if raw is None else raw.count(b"\n") + 1


def by_path_today(assets: Mapping[str, bytes]) -> dict[str, bytes]:
    """Assets by the paths that Keras 3 has for them."""
    return {path_today(path): raw for path, raw in assets.items()}


def path_today(path: str) -> str:
    """The path of an asset in the words of Keras 3."""
    return "/".join(as_keras_3(split(path)))


def outermost(lookups: Iterable[Lookup]) -> list[Lookup]:
    """The lookups without those that are part of another: of a TextVectorization its StringLookup."""
    found = list(lookups)
    whole = {one.layer for one in found if one.class_name == "TextVectorization"}
    return [one for one in found if one.layer.rpartition("/")[0] not in whole]
