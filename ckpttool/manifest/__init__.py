"""`checkpoints.json`: the checkpoints that training saved in a directory, their order, and whether they are unaltered.

The file may come from a stranger: every value is checked, names lead nowhere but into its directory, and an invalid
entry is left out and reported.
"""

from ckpttool.manifest.files import (
    MISSING,
    Record,
    damage,
    read_manifest,
    records,
    recovered,
    sha256_of,
    write_manifest,
)
from ckpttool.manifest.json import MODES, NAME, VERSION, checked_notes, checked_state, inside
from ckpttool.manifest.values import CallbackState, EpochLogs, Manifest, Saved, State, StateValue, best_entry, bests

__all__ = [
    "MISSING",
    "MODES",
    "NAME",
    "VERSION",
    "CallbackState",
    "EpochLogs",
    "Manifest",
    "Record",
    "Saved",
    "State",
    "StateValue",
    "best_entry",
    "bests",
    "checked_notes",
    "checked_state",
    "damage",
    "inside",
    "read_manifest",
    "records",
    "recovered",
    "sha256_of",
    "write_manifest",
]
