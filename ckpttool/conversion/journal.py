"""What a conversion does and cannot do, noted while it is planned: edits, guesses, losses, refusals."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Edit(NamedTuple):
    """A kind of edit: its name, what it does, and when the edited model computes what the old one did.

    `differs_without` says that Keras 3 takes a model without the edit, and computes something else.
    """

    name: str
    does: str
    exact: str
    differs_without: bool = False


class Applied(NamedTuple):
    """An edit at one place: the layer or setting, and what became of what."""

    edit: Edit
    where: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a reader of the plan should know: at which layer or setting, and what."""

    where: str
    what: str


class NeedKind(str, Enum):
    """What can be needed before Keras loads a model; a text, as which JSON has it."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Need(Remark):
    """Something that has to be there before Keras loads a model. `module` is the name of one that is to be imported."""

    kind: NeedKind = NeedKind.CLASS
    module: str = ""


@dataclass(slots=True)
class Journal:
    """The notes of one plan, in the order in which they were made.

    `guesses` are what nothing in the file tells, `losses` what the target will lack, `needs` what must be imported
    before Keras can load it, `refusals` what stops the conversion. `lambdas` are the Lambda layers, each with its label
    and its name.
    """

    edits: list[Applied] = field(default_factory=list)
    guesses: list[Remark] = field(default_factory=list)
    losses: list[Remark] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)
    refusals: list[Remark] = field(default_factory=list)
    lambdas: list[tuple[str, str]] = field(default_factory=list)

    def edit(self, edit: Edit, where: str, detail: str = "") -> None:
        """Notes an edit."""
        self.edits.append(Applied(edit, where, detail))

    def guess(self, where: str, what: str) -> None:
        """Notes what was assumed."""
        self.guesses.append(Remark(where, what))

    def lose(self, where: str, what: str) -> None:
        """Notes what the target will lack."""
        self.losses.append(Remark(where, what))

    def need(self, where: str, what: str, kind: NeedKind = NeedKind.CLASS, module: str = "") -> None:
        """Note what must be there before the target can be loaded, each thing once."""
        if all(one.where != where for one in self.needs):
            self.needs.append(Need(where, what, kind, module))

    def refuse(self, where: str, what: str) -> None:
        """Notes what has no exact form; the conversion then fails once all such are known."""
        self.refusals.append(Remark(where, what))
