"""The result of a verification: a problem for each weight that has one, and the verdict that follows."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ckpttool.checkpoint import Weight
from ckpttool.escape import brief
from ckpttool.model.spec import Opaque, SpecSlot
from ckpttool.model.support import Support
from ckpttool.notebook import Displayed


class Status(Enum):
    """The kinds of problems with a weight."""

    MISSING = "MISSING"
    UNEXPECTED = "UNEXPECTED"
    SHAPE = "SHAPE"
    DTYPE = "DTYPE"
    ORDER = "ORDER"
    VALUE = "VALUE"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class WeightProblem:
    """A problem with one weight, which is not as the architecture expects: the slot, the stored weight, or both.

    `why` says what is wrong, `remedy` what to do, where that is known. `accepted` says that it does not count
    against the checkpoint: the user allows it, Keras was asked to skip it, or Keras converts it without loss.
    """

    status: Status
    slot: SpecSlot | None
    weight: Weight | None
    why: str
    remedy: str = ""
    accepted: bool = False

    __repr__ = brief

    @property
    def label(self) -> str:
        """The name to show for the weight: the one in the architecture, else the path in the file."""
        return self.slot.label if self.slot else self.weight.path if self.weight else ""


@dataclass(frozen=True, slots=True)
class VerifyResult(Displayed):
    """The answer whether a checkpoint loads into an architecture, with all findings.

    `loader` is the loader of Keras that was imitated, `because` the reason for choosing it. `keras` says what Keras 3
    does with the file under its name: "loads", "raises", "loads wrongly" (without an error), "loads uncompiled" (only
    with compile=False), or "cannot build" (it does not build the architecture). `support` says which Keras builds the
    architecture; None where there is no config. `of_weights` says that the expectation comes from other weights.
    `problems` are those of the file as a whole. `skipped` are the slots that Keras skips where it is asked to skip
    mismatches. `skipped_state` is the reason why Keras 3 loads a whole model with a new state of its optimizer, and
    at most warns; empty where it loads the state or there is none. `unchecked` are weights of objects of unknown
    classes; `opaque` are these objects. `parts` are the names of the models that a checkpoint of TensorFlow holds side
    by side, of which one may be meant (`checkpoint_of`, `--part`).
    """

    checkpoint: Path
    kind: str
    architecture: str
    loader: str
    because: str
    keras: str
    findings: tuple[WeightProblem, ...]
    matched: tuple[tuple[SpecSlot, Weight], ...]
    unchecked: tuple[Weight, ...] = ()
    opaque: tuple[Opaque, ...] = ()
    problems: tuple[str, ...] = ()
    skipped: tuple[SpecSlot, ...] = ()
    support: Support | None = None
    of_weights: bool = False
    skipped_state: str = ""
    parts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        counts = f"{len(self.matched):,} weights matched, {len(self.findings):,} findings"
        return f"<VerifyResult {self.checkpoint.name!r}: {self.verdict}, {counts}>"

    @property
    def failures(self) -> tuple[WeightProblem, ...]:
        """The findings that count against the checkpoint."""
        return tuple(finding for finding in self.findings if not finding.accepted)

    @property
    def verdict(self) -> str:
        """ "loads", "does not load", or "cannot tell" where all known weights fit, but not all weights are known."""
        if self.problems or self.failures:
            return "does not load"
        return "cannot tell" if self.opaque or not self.matched else "loads"

    @property
    def ok(self) -> bool:
        """Whether every weight has its slot, and every slot its weight."""
        return self.verdict == "loads"

    @property
    def is_of_one_file(self) -> bool:
        """Whether checkpoint and architecture are the same whole model, which Keras would also compile."""
        return str(self.checkpoint) == self.architecture

    @property
    def own_names(self) -> tuple[str, ...]:
        """The user's own classes and functions that Keras 3 needs as custom objects to build the architecture.

        For a whole model that Keras compiles, also those in its compile settings.
        """
        compiled = self.is_of_one_file and self.keras != "loads uncompiled"
        return self.support.buildability.own_names(compiled) if self.support else ()

    @property
    def loads_in_keras_3(self) -> bool:
        """Whether Keras 3 loads the checkpoint; it does not build every architecture that an older Keras wrote."""
        return self.ok and self.keras == "loads"
