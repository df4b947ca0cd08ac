"""The layouts of HDF5 files: which of them are checkpoints of Keras, and the reader of each."""

from collections.abc import Callable
from typing import NamedTuple

from ckpttool.checkpoint import Checkpoint, Refusal, Section
from ckpttool.formats import keras0_h5, legacy_h5, weights_h5
from ckpttool.formats.builder import Parts
from ckpttool.formats.hdf5.tree import Tree
from ckpttool.formats.hdf5_input import Hdf5Input
from ckpttool.io.sources import FileSource

# The attributes or groups at the root of an HDF5 file by which the files of other programs are recognised.
_PROGRAMS = {
    "pandas or PyTables": {"PYTABLES_FORMAT_VERSION", "pandas_type"},
    "netCDF": {"_NCProperties"},
    "AnnData": {"obs", "var", "encoding-type"},
    "PyTorch Lightning or another trainer": {"state_dict", "pytorch-lightning_version"},
    "MATLAB": {"#refs#"},
}


class Layout(NamedTuple):
    """A layout of HDF5 files: its kind, the test that recognises it, and its reader."""

    kind: str
    matches: Callable[[Tree], bool]
    read: Callable[[Hdf5Input], None]


def _read_plain(source: Hdf5Input) -> None:
    """Add all arrays. Another program may store many arrays that are no numbers: they share one refusal."""
    for path in source.tree.datasets:
        source.add(path, Section.OTHER)
    refusals = source.parts.refusals
    unread = [refusal for refusal in refusals if refusal.kind == "unsupported"]
    if len(unread) > 1:
        more = Refusal(
            "unsupported", unread[0].place, f"{unread[0].detail}, and {len(unread) - 1:,} more arrays like it"
        )
        source.parts.refusals[:] = [*(refusal for refusal in refusals if refusal.kind != "unsupported"), more]
    program = next((name for name, marks in _PROGRAMS.items() if marks & _marks(source.tree)), None)
    if program:
        source.parts.notes.append(f"looks like a file of {program}")


def _marks(tree: Tree) -> set[str]:
    """The names by which programs are recognised: those of the root's attributes, groups and arrays."""
    return {*tree.groups[""].names(), *(path for path in (*tree.groups, *tree.datasets) if path and "/" not in path)}


LAYOUTS = (
    Layout("legacy-model", legacy_h5.is_model, legacy_h5.read_model),
    Layout("legacy-weights", legacy_h5.is_weights, legacy_h5.read_weights),
    Layout("keras0-weights", keras0_h5.matches, keras0_h5.read),
    Layout("weights-h5", weights_h5.matches, weights_h5.read),
)
_PLAIN = Layout("hdf5", lambda tree: True, _read_plain)


def read(source: FileSource, also_zip: bool) -> Checkpoint:
    """The checkpoint in an HDF5 file, which may end as a zip archive does."""
    with Parts(source.budget, closers=[source.close]) as parts:
        hdf5 = Hdf5Input.of_file(source, parts)
        fitting = [layout for layout in LAYOUTS if layout.matches(hdf5.tree)] or [_PLAIN]
        fitting[0].read(hdf5)
    if fitting[0].kind != "weights-h5" and weights_h5.has_weights(hdf5.tree):
        parts.refuse("ambiguous", "", "holds weights in two layouts; the legacy one is read")
    if also_zip:
        parts.refuse("ambiguous", "", "is an HDF5 file and a zip archive at once; HDF5 is read")
    return parts.checkpoint(source.path, fitting[0].kind, source.size)
