"""What became of the files that layers keep beside their weights, vocabularies before all.

Only a `.keras` has them; against a file of another form there is nothing to compare.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ckpttool.alignment.vocabularies import FILE, INNER, by_keras3_path
from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import CheckpointError
from ckpttool.formats.assets import read_assets
from ckpttool.model import architecture_of
from ckpttool.model.layouts import lookups_in
from ckpttool.model.spec import part_in

_WITH_ASSETS = frozenset({"keras-zip", "keras-dir"})


@dataclass(frozen=True, slots=True)
class AssetChange:
    """A file that is not the same on both sides: the layer that keeps it, as far as the config tells, and its paths,
    one of which is empty where it is on one side alone.

    Of a vocabulary, `removed` and `added` are the numbers of entries that only `a` and only `b` has; none of either
    means another order. They are None of other files.
    """

    layer: str
    a: str
    b: str
    removed: int | None = None
    added: int | None = None

    def inverted(self) -> "AssetChange":
        """The change from the second checkpoint to the first."""
        return AssetChange(self.layer, self.b, self.a, self.added, self.removed)


def asset_changes(a: Checkpoint, b: Checkpoint) -> tuple[AssetChange, ...]:
    """The files that differ between two checkpoints that can have some. Raises CheckpointError where they cannot be
    read."""
    if not {a.kind, b.kind} <= _WITH_ASSETS:
        return ()
    ours, theirs = (by_keras3_path(read_assets(side)) for side in (a, b))
    names = {**_layers(b), **_layers(a)}
    return tuple(_without_copies(_changes(ours, theirs, names)))


def _layers(checkpoint: Checkpoint) -> dict[str, str]:
    """The labels of the lookups of a model by their folders, none where its config makes no sense."""
    try:
        architecture = architecture_of(checkpoint)
        return {place: layer for layer, place, _ in lookups_in(part_in(architecture))} if architecture else {}
    except CheckpointError:
        return {}


def _changes(ours: Mapping[str, bytes], theirs: Mapping[str, bytes], names: Mapping[str, str]) -> Iterator[AssetChange]:
    """The files that differ: those of one path go together, else those of equal content, which only moved."""
    for path in sorted(ours.keys() & theirs.keys()):
        if ours[path] != theirs[path]:
            yield _changed(path, names.get(_folder(path), ""), ours[path], theirs[path])
    removed, added = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    moved = Counter(ours[path] for path in removed) & Counter(theirs[path] for path in added)
    for paths, held, is_ours in ((removed, ours, True), (added, theirs, False)):
        left = Counter(moved)
        for path in paths:
            left[held[path]] -= 1
            if left[held[path]] < 0:
                name = names.get(_folder(path), "")
                yield AssetChange(name, path, "") if is_ours else AssetChange(name, "", path)


def _changed(path: str, layer: str, one: bytes, other: bytes) -> AssetChange:
    if not path.endswith(f"/{FILE}"):
        return AssetChange(layer, path, path)
    ours, theirs = Counter(one.split(b"\n")), Counter(other.split(b"\n"))
    return AssetChange(layer, path, path, (ours - theirs).total(), (theirs - ours).total())


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _without_copies(changes: Iterator[AssetChange]) -> Iterator[AssetChange]:
    """The changes without those of the copies that a TextVectorization keeps in the layer within it."""
    found = list(changes)
    paths = {(change.a, change.b) for change in found}
    inner = f"/{INNER}/{FILE}"
    for change in found:
        whole = tuple(path.replace(inner, f"/{FILE}") for path in (change.a, change.b))
        if whole == (change.a, change.b) or whole not in paths:
            yield change
