"""A file against what is on record of it: its entry in `checkpoints.json`, and the checksum that is required."""

import os
from collections.abc import Callable, Iterator

from ckpttool.checks.integrity.rules import CHECKSUM
from ckpttool.checks.rule import Finding, Told, Unchecked
from ckpttool.checks.subject import Subject
from ckpttool.manifest import NAME, Manifest, damage, read_manifest, recovered
from ckpttool.manifest.files import sha256_of


def manifest(subject: Subject) -> Iterator[Told]:
    """Whether the file is as the manifest beside it says; nothing where that does not speak of it."""
    directory, name = subject.path.parent, subject.path.name
    entries = tuple(entry for entry in read_manifest(directory).saved if entry.file == name)
    if not entries:
        return
    found = recovered(directory, Manifest(entries)).saved
    if not found:
        yield Finding(
            CHECKSUM, NAME, "a save of it was begun and not finished, and the file is neither the old nor the new one"
        )
        return
    wrong = damage(directory, found[-1], thorough=True)
    if wrong:
        yield Finding(CHECKSUM, NAME, wrong)


def required(subject: Subject) -> Iterator[Told]:
    """Whether the file has the checksum that is required of it."""
    wanted = subject.policy.requirements.sha256.lower()
    if not wanted:
        return
    if not os.path.isfile(subject.path):
        yield Unchecked("", "a checksum is required, which only a single file has")
        return
    found = sha256_of(subject.path, subject.progress)
    if found != wanted:
        yield Finding(CHECKSUM, "", f"SHA-256 {found}, required {wanted}")


CHECKS: tuple[Callable[[Subject], Iterator[Told]], ...] = (manifest, required)
