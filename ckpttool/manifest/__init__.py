"""`checkpoints.json`: what training has saved in a directory, in which order, and whether it is still there as written.

The file may come from a stranger: every value is checked, names lead nowhere but into its directory, and an entry that
makes no sense is left out and told of.
"""

from ckpttool.manifest.files import (
    MISSING,
    Record,
    damage,
    read_manifest,
    records,
    settled,
    sha256_of,
    write_manifest,
)
from ckpttool.manifest.json import MODES, NAME, VERSION, checked_notes, checked_state, inside
from ckpttool.manifest.values import CallbackState, Manifest, Saved, State, Stored, best_of, bests

__all__ = [
    "MISSING",
    "MODES",
    "NAME",
    "VERSION",
    "CallbackState",
    "Manifest",
    "Record",
    "Saved",
    "State",
    "Stored",
    "best_of",
    "bests",
    "checked_notes",
    "checked_state",
    "damage",
    "inside",
    "read_manifest",
    "records",
    "settled",
    "sha256_of",
    "write_manifest",
]
