"""The changes of assets, the files that layers store beside their weights, such as vocabularies.

Only a `.keras` has assets; compared with a file of another format there are no changes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ckpttool.alignment.vocabularies import FILE, INNER, by_keras3_path
from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import CheckpointError
from ckpttool.escape import brief
from ckpttool.formats.assets import read_assets
from ckpttool.model import architecture_of
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.layouts import lookups_in


@dataclass(frozen=True, slots=True)
class AssetChange:
    """A file that is not the same on both sides.

    `layer` is the layer that stores it, as far as the config says. `a` and `b` are its paths; one is empty where the
    file is on one side alone. For a vocabulary, `removed` and `added` are the numbers of entries that only `a` and only
    `b` has; both are 0 where only the order changed. They are None for other files.
    """

    layer: str
    a: str
    b: str
    removed: int | None = None
    added: int | None = None

    __repr__ = brief

    def inverted(self) -> "AssetChange":
        """The change from the second checkpoint to the first."""
        return AssetChange(self.layer, self.b, self.a, self.added, self.removed)


def asset_changes(a: Checkpoint, b: Checkpoint) -> tuple[AssetChange, ...]:
    """The files that differ between two checkpoints; none where a format has no assets. Raises CheckpointError."""
    if not (a.format.is_native and b.format.is_native):
        return ()
    ours, theirs = (by_keras3_path(read_assets(side)) for side in (a, b))
    names = {**_layers(b), **_layers(a)}
    return tuple(_without_copies(_changes(ours, theirs, names)))


def _layers(checkpoint: Checkpoint) -> dict[str, str]:
    """The names of the layers that look values up, by their folders; none where the config makes no sense."""
    try:
        architecture = architecture_of(checkpoint)
        return {place: layer for layer, place, _ in lookups_in(part_in(architecture))} if architecture else {}
    except CheckpointError:
        return {}


def _changes(ours: Mapping[str, bytes], theirs: Mapping[str, bytes], names: Mapping[str, str]) -> Iterator[AssetChange]:
    """The files that differ. Files of one path are compared; files of equal content at other paths only moved."""
    for path in sorted(ours.keys() & theirs.keys()):
        if ours[path] != theirs[path]:
            yield _changed(path, names.get(_folder(path), ""), ours[path], theirs[path])
    removed, added = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    moved = Counter(ours[path] for path in removed) & Counter(theirs[path] for path in added)
    for paths, contents, is_ours in ((removed, ours, True), (added, theirs, False)):
        left = Counter(moved)
        for path in paths:
            left[contents[path]] -= 1
            if left[contents[path]] < 0:
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
    """The changes without those of the copies that the layer inside a TextVectorization stores."""
    listed = list(changes)
    paths = {(change.a, change.b) for change in listed}
    inner = f"/{INNER}/{FILE}"
    for change in listed:
        whole = tuple(path.replace(inner, f"/{FILE}") for path in (change.a, change.b))
        if whole == (change.a, change.b) or whole not in paths:
            yield change
