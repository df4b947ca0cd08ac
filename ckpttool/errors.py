"""The errors of ckpttool, all of them.

    CheckpointError
    +-- FileAccessError       the path cannot be read: missing, a directory, a FIFO, no permission
    |   +-- ClaimedError      another process saves the same series of checkpoints
    +-- UnknownFormatError    the content is no checkpoint; says what it is where that is known
    +-- CorruptFileError      the content breaks its own format: truncated, wrong checksum, impossible structure
    +-- UnsafeFileError       reading on would leave the file, or cost far more than the file weighs
    +-- UnsupportedError      legal content that this version of ckpttool does not read
    |   +-- ConversionError   a part of the checkpoint has no exact form in the target; `refusals` lists why
    +-- WeightNotFoundError   (also a KeyError) no weight is stored under that path
    +-- ConfigError           the config of a model or layer is not what Keras takes
    +-- ModelError            a live model cannot be read
    +-- BuildError            the user's function returns no model; `output` has the last lines it printed
    +-- ProofError            the converted model does not load in Keras, or predicts something else
    |   +-- NoKerasError      Keras could not be run
    +-- ConfigurationError    the configuration of `check` is wrong; `faults` lists how
    +-- NotFiniteError        a model that is to be saved has NaN or infinity among its weights
    +-- ChildError            a child process could not be started

Each error carries facts: which file, where in it, what is wrong, what was expected, what was found, and what to do
next. `CheckpointError.__str__` puts them into one message.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from ckpttool.escape import printable

_MOST_FAULTS = 20


class Reason(Protocol):
    """The reason of a refusal, and its place."""

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
        self.kind = kind  # of refusal, where it does not follow from the class of the error

    def __str__(self) -> str:
        head = f"{self.path}: {self.what}" if self.path else self.what
        facts = (("where", self.where), ("expected", self.expected), ("found", self.found), ("next", self.hint))
        lines = [printable(head), *(f"  {label}: {printable(fact)}" for label, fact in facts if fact)]
        return "\n".join(lines)

    def at(self, path: str = "", where: str = "") -> "CheckpointError":
        """Add the file and the place in it, if the error has none yet, and return the error."""
        self.path = self.path or path
        self.where = self.where or where
        return self


class FileAccessError(CheckpointError):
    """The path cannot be read at all."""


class ClaimedError(FileAccessError):
    """Another process saves the same series of checkpoints."""


class UnknownFormatError(CheckpointError):
    """The content is no checkpoint."""


class CorruptFileError(CheckpointError):
    """The content breaks the rules of its own format."""


class UnsafeFileError(CheckpointError):
    """Reading on would leave the file or cost far more than the file weighs."""


class UnsupportedError(CheckpointError):
    """The content is legal, but ckpttool does not read it."""


def ambiguous(what: str, where: str = "", found: str = "") -> UnsafeFileError:
    """The error for content that two readers, each of them right, see differently."""
    hint = "have it saved again by Keras: a scanner may have seen something else than what gets loaded"
    return UnsafeFileError(what, where=where, found=found, hint=hint, kind="ambiguous")


def too_deep(subject: str, most: int) -> UnsafeFileError:
    """The error for content in which more levels lie inside each other than ckpttool follows."""
    return UnsafeFileError(f"{subject} is nested too deeply", expected=f"{most} levels at most")


class WeightNotFoundError(CheckpointError, KeyError):
    """No weight is stored under the path that was asked for."""

    __str__ = CheckpointError.__str__


def no_weight(what: str, name: str, names: Iterable[str], path: str) -> WeightNotFoundError:
    """The error for a name that is none of those there are, with the nearest of them."""
    import difflib

    near = difflib.get_close_matches(name, names, 1) if len(name) < 1000 else []
    return WeightNotFoundError(what, path=path, hint=f"did you mean {near[0]!r}?" if near else "")


class ConversionError(UnsupportedError):
    """A part of the checkpoint has no exact form in the target. `refusals` lists every such part."""

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
    """The user's function returned no model. `output` has the last lines that it printed."""

    def __init__(self, what: str, output: Sequence[str] = (), **facts: str) -> None:
        super().__init__(what, **facts)
        self.output = tuple(output)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  | {printable(line)}" for line in self.output)])


class ProofError(CheckpointError):
    """The converted model does not load, or predicts something else than the old one."""


class NoKerasError(ProofError):
    """Keras itself could not be run, so nothing is known of the converted model."""


class ConfigurationError(CheckpointError):
    """The configuration of `check` is invalid. `faults` lists every fault."""

    def __init__(self, what: str, faults: Sequence[str] = (), **facts: str) -> None:
        super().__init__(what, **facts)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        more = len(self.faults) - _MOST_FAULTS
        rest = [f"  and {more:,} more"] if more > 0 else []
        return "\n".join([super().__str__(), *(f"  {printable(fault)}" for fault in self.faults[:_MOST_FAULTS]), *rest])


class NotFiniteError(CheckpointError):
    """A model that is to be saved has NaN or infinity among its weights."""


class ChildError(CheckpointError):
    """A child process could not be started, or did not answer."""
