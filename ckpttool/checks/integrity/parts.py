"""The parts of a file: what its reader found damaged, missing, unreadable or left over, and what its name promises."""

from collections.abc import Callable, Iterator, Mapping

from ckpttool.checkpoint import Checkpoint, Refusal
from ckpttool.checks.integrity.rules import (
    DAMAGED,
    LEFT_OVER,
    MISSING_PART,
    NO_CHECKPOINT,
    NO_CONFIG,
    UNREADABLE,
    WRONG_SUFFIX,
)
from ckpttool.checks.limits import few
from ckpttool.checks.rule import Finding, Rule, Told
from ckpttool.checks.subject import Subject
from ckpttool.errors import CorruptFileError
from ckpttool.formats import FORMATS, suffix_note
from ckpttool.formats.assets import read_assets

_CONFIG = "config.json"
_WHOLE = frozenset({"keras-zip", "keras-dir", "legacy-model"})
_BY_KIND: Mapping[str, Rule] = {
    "corrupt": DAMAGED,
    "missing": MISSING_PART,
    "unfinished": MISSING_PART,
    "unsupported": UNREADABLE,
    "extra": LEFT_OVER,
}


def refusals(subject: Subject) -> Iterator[Told]:
    """What the reader left alone, as far as it says something of the file being whole."""
    checkpoint = subject.checkpoint
    found = checkpoint.refusals if checkpoint is not None else ()
    if checkpoint is not None and checkpoint.kind == "hdf5":
        found = tuple(one for one in found if one.kind != "unsupported")  # arrays of another program are no weights
    known = (one for one in found if one.kind in _BY_KIND and not _is_config(one))  # a rule of its own speaks of that
    yield from few(Finding(_BY_KIND[one.kind], one.place, one.detail) for one in known)


def _is_config(refusal: Refusal) -> bool:
    return refusal.kind == "missing" and refusal.place == _CONFIG


def stored_bytes(subject: Subject) -> Iterator[Told]:
    """Whether large members of an archive have the checksums that it states for them."""
    checkpoint = subject.checkpoint
    if checkpoint is not None and checkpoint.check_bytes is not None:
        yield from _damage(checkpoint.check_bytes)


def assets(subject: Subject) -> Iterator[Told]:
    """Whether the files that layers keep beside their weights can be read."""
    checkpoint = subject.checkpoint
    if checkpoint is not None:
        yield from _damage(lambda: read_assets(checkpoint))


def _damage(read: Callable[[], object]) -> Iterator[Told]:
    try:
        read()
    except CorruptFileError as error:
        yield Finding(DAMAGED, error.where, Refusal.from_error(error).detail)


def content(subject: Subject) -> Iterator[Told]:
    """Whether it is a checkpoint at all, with a config where its format has a place for one, and named after it."""
    checkpoint = subject.checkpoint
    if checkpoint is None:
        return
    if checkpoint.kind == "hdf5":
        held = f"HDF5 with {len(checkpoint):,} arrays, none of which is a weight in a layout of Keras"
        yield Finding(NO_CHECKPOINT, "", held)
        return
    if checkpoint.kind in _WHOLE and checkpoint.config is None and not _has_broken_config(checkpoint):
        yield Finding(NO_CONFIG, "", f"{FORMATS[checkpoint.kind].title}, and no config in it")
    note = "" if checkpoint.path.is_dir() else suffix_note(checkpoint.path.name, checkpoint.kind)
    if note:
        yield Finding(WRONG_SUFFIX, "", note)


def _has_broken_config(checkpoint: Checkpoint) -> bool:
    """Whether there is a config that could not be read, which another rule tells."""
    places = {refusal.place for refusal in checkpoint.refusals if not _is_config(refusal)}
    return bool(places & {_CONFIG, "model_config"})


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (refusals, stored_bytes, assets, content)
