"""The errors of ckpttool, all of them.

    CheckpointError
    +-- FileAccessError       the path cannot be read: missing, a directory, a FIFO, no permission
    +-- UnknownFormatError    the content is no checkpoint; says what it is where that can be told
    +-- CorruptFileError      the content breaks its own format: truncated, wrong checksum, impossible structure
    +-- UnsafeFileError       reading on would leave the file, or cost far more than the file weighs
    +-- UnsupportedError      legal content that this version of ckpttool does not read
    |   +-- ConversionError   what is to be converted has no exact form in the target; `refusals` lists why
    +-- WeightNotFoundError   (also a KeyError) no weight is stored under that path
    +-- ConfigError           the config of a model or layer is not what Keras takes
    +-- ModelError            a live model cannot be read
    +-- BuildError            the user's function gives no model; `said` is what it printed last
    +-- ProofError            the converted model does not load in Keras, or predicts something else
    |   +-- NoKerasError      Keras could not be run
    +-- ConfigurationError    the configuration of `check` is wrong; `faults` lists how
    +-- NotFiniteError        a model that is to be saved has NaN or infinity among its weights
    +-- ChildError            a child process could not be started

Each carries facts, and is worded in one place: which file, where in it, what is wrong, what was expected, what was
found, and what to do next.
"""

from collections.abc import Sequence
from typing import Protocol

from ckpttool.escape import printable

_MOST_FAULTS = 20


class Reason(Protocol):
    """Why something was refused, and where."""

    @property
    def where(self) -> str:
        """The layer, weight or setting."""

    @property
    def what(self) -> str:
        """The reason."""


class CheckpointError(Exception):
    """A checkpoint could not be used; the message says which, where in it, why, and what to do."""

    def __init__(
        self,
        what: str,
        *,
        path: str = "",
        where: str = "",
        expected: str = "",
        found: str = "",
        hint: str = "",
        kind: str = "",
    ) -> None:
        super().__init__(what)
        self.what, self.path, self.where = what, path, where
        self.expected, self.found, self.hint = expected, found, hint
        self.kind = kind  # of refusal, where the class of the error does not tell it

    def __str__(self) -> str:
        head = f"{self.path}: {self.what}" if self.path else self.what
        facts = (("where", self.where), ("expected", self.expected), ("found", self.found), ("next", self.hint))
        lines = [printable(head), *(f"  {label}: {printable(fact)}" for label, fact in facts if fact)]
        return "\n".join(lines)

    def at(self, path: str = "", where: str = "") -> "CheckpointError":
        """This error, told where it happened; facts that it already has stay."""
        self.path = self.path or path
        self.where = self.where or where
        return self


class FileAccessError(CheckpointError):
    """The path cannot be read at all."""


class UnknownFormatError(CheckpointError):
    """The content is no checkpoint."""


class CorruptFileError(CheckpointError):
    """The content breaks the rules of its own format."""


class UnsafeFileError(CheckpointError):
    """Reading on would leave the file or cost far more than the file weighs."""


class UnsupportedError(CheckpointError):
    """The content is legal, and ckpttool does not read it."""


def ambiguous(what: str, where: str = "", found: str = "") -> UnsafeFileError:
    """The error for what two readers, each of them right, would see differently."""
    hint = "have it saved again by Keras: a scanner may have seen something else than what gets loaded"
    return UnsafeFileError(what, where=where, found=found, hint=hint, kind="ambiguous")


class WeightNotFoundError(CheckpointError, KeyError):
    """No weight is stored under the path that was asked for."""

    __str__ = CheckpointError.__str__


class ConversionError(UnsupportedError):
    """A checkpoint holds what has no exact form in the target. `refusals` has all of it."""

    def __init__(self, what: str, refusals: Sequence[Reason] = (), **facts: str) -> None:
        super().__init__(what, **facts)
        self.refusals = tuple(refusals)

    def __str__(self) -> str:
        lines = [f"  {printable(reason.where)}: {printable(reason.what)}" for reason in self.refusals]
        return "\n".join([super().__str__(), *lines])


class ConfigError(CheckpointError):
    """The config of a model or layer is not what Keras takes."""


class ModelError(CheckpointError):
    """A live model cannot be read."""


class BuildError(CheckpointError):
    """The user's function gave no model. `said` are the last lines of what it printed."""

    def __init__(self, what: str, said: Sequence[str] = (), **facts: str) -> None:
        super().__init__(what, **facts)
        self.said = tuple(said)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  | {printable(line)}" for line in self.said)])


class ProofError(CheckpointError):
    """The converted model does not load, or predicts something else than the old one."""


class NoKerasError(ProofError):
    """Keras itself could not be run, which says nothing of the converted model."""


class ConfigurationError(CheckpointError):
    """The configuration of `check` says what cannot be. `faults` has all of it."""

    def __init__(self, what: str, faults: Sequence[str] = (), **facts: str) -> None:
        super().__init__(what, **facts)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        more = len(self.faults) - _MOST_FAULTS
        rest = [f"  and {more:,} more"] if more > 0 else []
        return "\n".join([super().__str__(), *(f"  {printable(fault)}" for fault in self.faults[:_MOST_FAULTS]), *rest])


class NotFiniteError(CheckpointError):
    """A model that is to be saved has weights that are no numbers any more."""


class ChildError(CheckpointError):
    """A child process could not be started, or did not answer."""
