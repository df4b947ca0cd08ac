"""What verifying tells: findings, one a weight, and the verdict that follows from them."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ckpttool.checkpoint import Weight
from ckpttool.model.spec import Opaque, SpecSlot
from ckpttool.model.support import Support


class Status(Enum):
    """What can be wrong with a weight."""

    MISSING = "MISSING"
    UNEXPECTED = "UNEXPECTED"
    SHAPE = "SHAPE"
    DTYPE = "DTYPE"
    ORDER = "ORDER"
    VALUE = "VALUE"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One weight that is not as the architecture expects: the slot, the stored weight, or both.

    `why` says what is wrong, `remedy` what would mend it where that can be told. `accepted` says that it does not count
    against the checkpoint: it is allowed by the user, Keras skips it as it was asked to, or converts it without harm.
    """

    status: Status
    slot: SpecSlot | None
    weight: Weight | None
    why: str
    remedy: str = ""
    accepted: bool = False

    @property
    def label(self) -> str:
        """What to call the weight: as the architecture does, else as the file does."""
        return self.slot.label if self.slot else self.weight.path if self.weight else ""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Whether a checkpoint loads into an architecture.

    `loader` is the way of loading that was imitated, chosen for the reason in `because`. `keras` is what Keras 3 does
    with the file as it is named: "loads", "raises", "loads wrongly" (without a word), "loads uncompiled" (with
    compile=False alone), or "cannot build" where it does not build the architecture. `support` says which Keras builds
    it, None where there is no config. `problems` are what concerns the file as a whole. `skipped` are the slots that
    Keras leaves alone where it is asked to skip mismatches. `unchecked` are weights of objects of unknown classes, and
    those objects are `opaque`.
    """

    checkpoint: Path
    kind: str
    architecture: str
    loader: str
    because: str
    keras: str
    findings: tuple[Finding, ...]
    matched: tuple[tuple[SpecSlot, Weight], ...]
    unchecked: tuple[Weight, ...] = ()
    opaque: tuple[Opaque, ...] = ()
    problems: tuple[str, ...] = ()
    skipped: tuple[SpecSlot, ...] = ()
    support: Support | None = None

    def __repr__(self) -> str:
        found = f"{len(self.matched):,} weights matched, {len(self.findings):,} findings"
        return f"<VerifyResult {self.checkpoint.name!r}: {self.verdict}, {found}>"

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that count against the checkpoint."""
        return tuple(finding for finding in self.findings if not finding.accepted)

    @property
    def verdict(self) -> str:
        """ "loads", "does not load", or "cannot tell" where all that is known fits but not all is known."""
        if self.problems or self.failures:
            return "does not load"
        return "cannot tell" if self.opaque or not self.matched else "loads"

    @property
    def ok(self) -> bool:
        """Whether every weight finds its place, and every place its weight."""
        return self.verdict == "loads"

    @property
    def is_of_one_file(self) -> bool:
        """Whether checkpoint and architecture are one whole model, which Keras would also compile."""
        return str(self.checkpoint) == self.architecture

    @property
    def own_names(self) -> tuple[str, ...]:
        """The classes and functions of the user's own that Keras 3 has to be given to build the architecture, and for a
        whole model that it compiles those too that it is compiled with."""
        compiled = self.is_of_one_file and self.keras != "loads uncompiled"
        return self.support.buildability.own_names(compiled) if self.support else ()

    @property
    def loads_in_keras_3(self) -> bool:
        """Whether Keras 3 loads it, too, which does not build every architecture that an older Keras wrote."""
        return self.ok and self.keras == "loads"
