"""The parts of a file: those that its reader reports as damaged, missing, unreadable or left over, and its name."""

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
from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Outcome, Rule
from ckpttool.checks.subject import Subject
from ckpttool.errors import CorruptFileError
from ckpttool.formats import suffix_note
from ckpttool.formats.assets import read_assets

_CONFIG = "config.json"
_BY_KIND: Mapping[str, Rule] = {
    "corrupt": DAMAGED,
    "missing": MISSING_PART,
    "pointer": NO_CHECKPOINT,
    "unfinished": MISSING_PART,
    "unsupported": UNREADABLE,
    "extra": LEFT_OVER,
}


def refusals(subject: Subject) -> Iterator[Outcome]:
    """The refusals of the reader that mean that the file is not whole."""
    checkpoint = subject.checkpoint
    if checkpoint is None:
        return
    yield from cap_findings(
        Finding(_BY_KIND[refusal.kind], refusal.place, refusal.detail)
        for refusal in checkpoint.refusals
        if refusal.kind in _BY_KIND and not _is_missing_config(refusal) and not _is_foreign_array(checkpoint, refusal)
    )


def _is_foreign_array(checkpoint: Checkpoint, refusal: Refusal) -> bool:
    """Whether a refusal is about an array of another program, which is no weight."""
    return checkpoint.format.is_foreign and refusal.kind == "unsupported"


def _is_missing_config(refusal: Refusal) -> bool:
    """Whether a refusal says that there is no config, for which there is a rule of its own."""
    return refusal.kind == "missing" and refusal.place == _CONFIG


def stored_bytes(subject: Subject) -> Iterator[Outcome]:
    """Large members of an archive that do not have the checksums in its directory."""
    if subject.checkpoint is not None:
        yield from _damage(subject.checkpoint.require_intact)


def assets(subject: Subject) -> Iterator[Outcome]:
    """Assets, the files that layers have beside their weights, that cannot be read."""
    checkpoint = subject.checkpoint
    if checkpoint is not None:
        yield from _damage(lambda: read_assets(checkpoint))


def _damage(read: Callable[[], object]) -> Iterator[Outcome]:
    try:
        read()
    except CorruptFileError as error:
        yield Finding(DAMAGED, error.where, Refusal.from_error(error).detail)


def content(subject: Subject) -> Iterator[Outcome]:
    """A file that is no checkpoint, a whole model without its config, a name with the suffix of another format."""
    checkpoint = subject.checkpoint
    if checkpoint is None:
        return
    if checkpoint.format.is_foreign:
        detail = f"HDF5 with {len(checkpoint):,} arrays, none of which is a weight where Keras would store one"
        yield Finding(NO_CHECKPOINT, "", detail)
        return
    if checkpoint.format.is_whole and checkpoint.config is None and not _has_broken_config(checkpoint):
        yield Finding(NO_CONFIG, "", f"{checkpoint.format.title}, and no config in it")
    note = "" if checkpoint.path.is_dir() else suffix_note(checkpoint.path.name, checkpoint.kind)
    if note:
        yield Finding(WRONG_SUFFIX, "", note)


def _has_broken_config(checkpoint: Checkpoint) -> bool:
    """Whether there is a config that could not be read, which another rule reports."""
    places = {refusal.place for refusal in checkpoint.refusals if not _is_missing_config(refusal)}
    return bool(places & {_CONFIG, "model_config"})


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (refusals, stored_bytes, assets, content)
