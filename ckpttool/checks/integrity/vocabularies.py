"""The vocabularies of layers that look values up."""

from collections.abc import Callable, Iterator

from ckpttool.alignment.vocabularies import lookups_in_checkpoint, outermost
from ckpttool.checks.integrity.rules import NO_VOCABULARY
from ckpttool.checks.rule import Finding, Outcome
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError
from ckpttool.model.architecture_parts import part_in


def vocabularies(subject: Subject) -> Iterator[Outcome]:
    """The layers of a whole model whose vocabulary is not stored. Assets that cannot be read are for other rules."""
    checkpoint, architecture = subject.checkpoint, subject.architecture
    if checkpoint is None or architecture is None or not checkpoint.format.is_whole:
        return
    try:
        lookups = outermost(lookups_in_checkpoint(checkpoint, part_in(architecture)))
    except CheckpointError:
        return
    for lookup in lookups:
        if lookup.source == "missing":
            where = "a .h5 holds none" if checkpoint.format.is_legacy else f"{lookup.asset} is missing"
            yield Finding(NO_VOCABULARY, lookup.layer, f"{lookup.class_name} without its vocabulary: {where}")


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (vocabularies,)
