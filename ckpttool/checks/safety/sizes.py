"""Bombs that no reader meets: arrays that a config asks for, texts within configs and datasets."""

import re
import struct
from collections import Counter
from collections.abc import Iterator
from math import prod

from ckpttool.checkpoint import Checkpoint, Section, Weight
from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.checks.safety.refusals import BOMB
from ckpttool.checks.subject import Subject
from ckpttool.dangers.walk import JSON_STARTS, Node, json_in
from ckpttool.errors import CheckpointError, UnsafeFileError
from ckpttool.io import dtypes
from ckpttool.model.spec import SpecSlot, spec_of

CONFIG_BOMB = Rule(
    code="S402",
    name="config-bomb",
    family="safety",
    severity=Severity.ERROR,
    finds="A config that asks for arrays out of all proportion to the weights that are stored.",
    why="Building the model takes all memory of the machine before a single weight is loaded.",
    remedy="Do not build the model. Where the config is right, its weights are missing from the file.",
)

RULES = (CONFIG_BOMB,)

MAX_BUILT = 1 << 30  # bytes of one weight of a model, in a file of any size
MAX_RATIO = 100  # bytes of one weight of a model, for each byte of the file
MAX_TEXT = 64 << 20  # bytes of text in one dataset, in a file of any size
_MAX_TEXT_RATIO = 16  # bytes of text in one dataset, for each byte of the file
MAX_CROWD = 10_000  # weights of one layer
_PLAIN_DTYPE = re.compile(r"[<>=|]?[A-Za-z]\w{0,20}")
_REFERENCE = struct.Struct("<IQI")  # to a text: its length, and where it is


def built(subject: Subject) -> Iterator[Finding]:
    """The weights of a config that are far larger than the file that should store them."""
    checkpoint, architecture = subject.checkpoint, subject.architecture
    if checkpoint is None or architecture is None:
        return
    try:
        slots = spec_of(architecture).slots
    except CheckpointError:  # a config that makes no sense, which a rule of integrity reports
        return
    limit = max(MAX_BUILT, MAX_RATIO * checkpoint.size)
    for slot in slots:
        size = _bytes_of(slot)
        if size > limit:
            yield Finding(CONFIG_BOMB, slot.label, f"is to have {size:,} bytes, in a file of {checkpoint.size:,}")


def _bytes_of(slot: SpecSlot) -> int:
    if slot.shape is None:
        return 0
    return prod(size or 1 for size in slot.shape) * (dtypes.itemsize(slot.dtype) or 1)


def arrays(node: Node) -> Iterator[Finding]:
    """The arrays in a config whose dtype has a shape in it: `(1000000,)f8` makes a million numbers of each."""
    value = node.value
    if not isinstance(value, dict) or value.get("class_name") not in ("__numpy__", "__tensor__"):
        return
    config = value.get("config")
    dtype = config.get("dtype") if isinstance(config, dict) else None
    if dtype is not None and not (isinstance(dtype, str) and _PLAIN_DTYPE.fullmatch(dtype)):
        yield Finding(CONFIG_BOMB, node.place, f"an array of dtype {str(dtype)[:60]!r}")


def texts(node: Node) -> Iterator[Finding]:
    """The texts in a config that are JSON of absurd depth or size."""
    for key, child in node.children():
        if isinstance(child, str) and child.startswith(JSON_STARTS):
            try:
                json_in(child)
            except UnsafeFileError as error:
                yield Finding(BOMB, Node(child, key, node).place, error.what)


JUDGES = (arrays, texts)


def stored_texts(subject: Subject) -> Iterator[Finding]:
    """The datasets whose texts share the same few bytes of the file, so that reading them takes many times its size."""
    if subject.checkpoint is not None:
        yield from cap_findings(_shared_texts(subject.checkpoint))


def _shared_texts(checkpoint: Checkpoint) -> Iterator[Finding]:
    limit = max(MAX_TEXT, _MAX_TEXT_RATIO * checkpoint.size)
    for weight in checkpoint.values():
        if weight.dtype == "string" and weight.nbytes == _REFERENCE.size * weight.size:
            size = _text_bytes(weight)
            if size > limit:
                yield Finding(BOMB, weight.path, f"{size:,} bytes of text in a file of {checkpoint.size:,}")


def _text_bytes(weight: Weight) -> int:
    """The bytes of all texts, by their stored lengths; 0 where the values can only be read as a whole."""
    try:
        if weight.values.part(0, 0) is None:
            return 0
        pieces = weight.values.pieces(_REFERENCE.size << 12)
        return sum(size for piece in pieces for size, _, _ in _REFERENCE.iter_unpack(piece))
    except CheckpointError:
        return 0


def crowded(subject: Subject) -> Iterator[Finding]:
    """The groups with more weights than any layer has. An optimizer has all its variables in one, and is left out."""
    if subject.checkpoint is None:
        return
    weights = (weight for weight in subject.checkpoint.values() if weight.section is not Section.OPTIMIZER)
    counts = Counter(weight.path.rpartition("/")[0] for weight in weights)
    yield from cap_findings(
        Finding(BOMB, group, f"{count:,} weights in one group") for group, count in counts.items() if count > MAX_CROWD
    )


CHECKS = (built, crowded, stored_texts)
