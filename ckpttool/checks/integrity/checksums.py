"""The checksum and size of a file, compared with its entry in `checkpoints.json` and with a required checksum."""

import os
from collections.abc import Callable, Iterator

from ckpttool.checks.integrity.rules import CHECKSUM
from ckpttool.checks.rule import Finding, Outcome, Unchecked
from ckpttool.checks.subject import Subject

MANIFEST = "checkpoints.json"
"""The name of a manifest; `ckpttool.manifest` is imported where there is one."""


def manifest(subject: Subject) -> Iterator[Outcome]:
    """A file that differs from its entry in the manifest beside it; nothing where the manifest has no such entry."""
    directory, name = subject.path.parent, subject.path.name
    if not os.path.lexists(directory / MANIFEST):
        return
    from ckpttool.manifest import Manifest, damage, read_manifest, recovered

    entries = tuple(entry for entry in read_manifest(directory).saved if entry.file == name)
    if not entries:
        return
    entries_on_disk = recovered(directory, Manifest(entries)).saved
    if not entries_on_disk:
        problem = "a save of the file was not finished, and its content is neither the old nor the new one"
        yield Finding(CHECKSUM, MANIFEST, problem)
        return
    problem = damage(directory, entries_on_disk[-1], thorough=True)
    if problem:
        yield Finding(CHECKSUM, MANIFEST, problem)


def required(subject: Subject) -> Iterator[Outcome]:
    """A file whose checksum is not the required one."""
    required_checksum = subject.policy.requirements.sha256.lower()
    if not required_checksum:
        return
    if not os.path.isfile(subject.path):
        yield Unchecked("", "a checksum is required, which only a single file has")
        return
    from ckpttool.manifest.files import sha256_of

    checksum = sha256_of(subject.path, subject.progress)
    if checksum != required_checksum:
        yield Finding(CHECKSUM, "", f"SHA-256 {checksum}, required {required_checksum}")


CHECKS: tuple[Callable[[Subject], Iterator[Outcome]], ...] = (manifest, required)
