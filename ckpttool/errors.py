"""The errors of ckpttool, all of them.

    CheckpointError
    +-- FileAccessError       the path cannot be read: missing, a directory, a FIFO, no permission
    +-- UnknownFormatError    the content is no checkpoint; says what it is where that can be told
    +-- CorruptFileError      the content breaks its own format: truncated, wrong checksum, impossible structure
    +-- UnsafeFileError       reading on would leave the file, or cost far more than the file weighs
    +-- UnsupportedError      legal content that this version of ckpttool does not read
    +-- WeightNotFoundError   (also a KeyError) no weight is stored under that path

Each carries facts, and is worded in one place: which file, where in it, what is wrong, what was expected, what was
found, and what to do next.
"""

from ckpttool.escape import printable


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
