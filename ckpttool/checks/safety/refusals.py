"""Refusals of the readers as findings: parts of a checkpoint that they did not follow, unpack or parse."""

from collections.abc import Iterator

from ckpttool.checkpoint import Refusal
from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.checks.safety.names import ODD_NAME
from ckpttool.checks.subject import Subject

PICKLE = Rule(
    code="S109",
    name="pickle",
    family="safety",
    severity=Severity.ERROR,
    finds="A pickle where a checkpoint or an array should be: of NumPy, of PyTorch, or a bare one.",
    why="Unpickling it can run anything.",
    remedy="Have it saved again without pickles: as .keras or .weights.h5, or as plain arrays.",
)

OUTSIDE_FILE = Rule(
    code="S201",
    name="outside-file",
    family="safety",
    severity=Severity.ERROR,
    finds="Weights that are stored in another file: an external link, external storage, a shard outside its directory.",
    why="Loading opens the file that is named, which can be any file of the machine (CVE-2026-1669).",
    remedy="Do not load the file. If it is your own, copy the values into it with h5repack or h5copy.",
)

VIRTUAL_DATASET = Rule(
    code="S202",
    name="virtual-dataset",
    family="safety",
    severity=Severity.ERROR,
    finds="A virtual dataset, whose values are gathered from other files or datasets.",
    why="Loading opens the files that are named, and missing ones silently read as zeros (CVE-2026-12480).",
    remedy="Do not load the file. If it is your own, copy the values into a plain dataset.",
)

LINK = Rule(
    code="S203",
    name="link",
    family="safety",
    severity=Severity.WARNING,
    finds="A soft or user-defined link inside an HDF5 file.",
    why="Keras refuses some of them, follows others, and where they lead can change without the link changing.",
    remedy="Save the model again: Keras writes no links.",
)

ARCHIVE_PATH = Rule(
    code="S301",
    name="archive-path",
    family="safety",
    severity=Severity.ERROR,
    finds="A member of an archive with a path that leads elsewhere, or that is a link or device, or encrypted.",
    why="Whoever unpacks the archive writes outside the target directory (CVE-2025-12060, CVE-2025-12638).",
    remedy="Do not unpack the archive. Have it saved again by Keras, which writes no such members.",
)

AMBIGUOUS = Rule(
    code="S302",
    name="ambiguous",
    family="safety",
    severity=Severity.ERROR,
    finds="Content that two readers may see differently: members, keys, links or attributes twice, headers that "
    "disagree, two formats in one file.",
    why="A scanner may then see other content than the program that loads the file.",
    remedy="Have it saved again by Keras, and compare the checksum with that of the original.",
)

PROGRAM = Rule(
    code="S303",
    name="program-in-archive",
    family="safety",
    severity=Severity.ERROR,
    finds="A program, script, library or pickle beside the weights.",
    why="No checkpoint needs one; some tool or person may run it.",
    remedy="Remove it from the checkpoint, and ask where it comes from.",
)

FOREIGN_BYTES = Rule(
    code="S305",
    name="foreign-bytes",
    family="safety",
    severity=Severity.INFO,
    finds="Bytes before, behind or between the parts of a file that belong to none of them.",
    why="Something can hide there, though no reader of Keras looks at it.",
    remedy="Save it again if you did not expect them.",
)

BOMB = Rule(
    code="S401",
    name="bomb",
    family="safety",
    severity=Severity.ERROR,
    finds="Sizes or work out of all proportion to the bytes that are stored.",
    why="Loading takes all memory or time of the machine (CVE-2026-0897).",
    remedy="Do not load the file.",
)

REPEATED_GROUP = Rule(
    code="S403",
    name="repeated-group",
    family="safety",
    severity=Severity.ERROR,
    finds="A group that occurs at several places of an HDF5 file, possibly within itself, or tensors of a TensorFlow "
    "checkpoint on the same bytes.",
    why="A reader that walks by name reads it again and again, or never ends.",
    remedy="Save the model again: Keras writes each group, and TensorFlow each tensor, once.",
)

RULES = (
    PICKLE,
    OUTSIDE_FILE,
    VIRTUAL_DATASET,
    LINK,
    ARCHIVE_PATH,
    AMBIGUOUS,
    PROGRAM,
    FOREIGN_BYTES,
    BOMB,
    REPEATED_GROUP,
)

_BY_KIND = {
    "ambiguous": AMBIGUOUS,
    "archive": ARCHIVE_PATH,
    "bomb": BOMB,
    "external": OUTSIDE_FILE,
    "foreign": FOREIGN_BYTES,
    "link": LINK,
    "name": ODD_NAME,
    "pickle": PICKLE,
    "program": PROGRAM,
    "repeat": REPEATED_GROUP,
    "virtual": VIRTUAL_DATASET,
}


def refusals(subject: Subject) -> Iterator[Finding]:
    """The findings for the parts that the readers refused, and for the error where they could not open the file."""
    all_refusals = [] if subject.checkpoint is None else list(subject.checkpoint.refusals)
    if subject.error is not None:
        all_refusals.append(Refusal.from_error(subject.error))
    yield from cap_findings(
        Finding(_BY_KIND[refusal.kind], refusal.place, refusal.detail)
        for refusal in all_refusals
        if refusal.kind in _BY_KIND
    )


CHECKS = (refusals,)
