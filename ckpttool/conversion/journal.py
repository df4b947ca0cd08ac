"""The journal of a conversion, written while it is planned: edits, guesses, losses, needs and refusals."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from ckpttool.escape import brief


class Edit(NamedTuple):
    """A kind of edit: its name, what it does, and when the edited model computes what the old one did.

    `differs_without` says that Keras 3 loads a model without the edit, and computes other results.
    """

    name: str
    does: str
    exact: str
    differs_without: bool = False

    def __repr__(self) -> str:
        return brief(self)


class Applied(NamedTuple):
    """An edit at one place, which is a layer or setting; `detail` says what was changed. `is_default` says that Keras 3
    does the same at this place without it."""

    edit: Edit
    where: str
    detail: str = ""
    is_default: bool = False

    @property
    def differs_without(self) -> bool:
        """Whether Keras 3 computes other results without the edit at this place."""
        return self.edit.differs_without and not self.is_default

    def __repr__(self) -> str:
        return brief(self)


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark for the reader of the plan: `where` is a layer or setting, `what` the remark."""

    where: str
    what: str

    __repr__ = brief


class NeedKind(str, Enum):
    """The kind of a need. As a text, which it also is, it is in JSON."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Need(Remark):
    """A module, class, function or file that is needed before Keras loads a model. `module` is the name of a module to
    import, empty for other kinds."""

    kind: NeedKind = NeedKind.CLASS
    module: str = ""

    __repr__ = brief


@dataclass(slots=True)
class Journal:
    """The notes of one plan, in the order in which they were made.

    `guesses` are assumptions about facts that the file does not store, `losses` are parts that the target will lack,
    `needs` must be there before Keras can load it, and `refusals` stop the conversion. `lambdas` are the Lambda layers,
    each with its label and its name.
    """

    edits: list[Applied] = field(default_factory=list)
    guesses: list[Remark] = field(default_factory=list)
    losses: list[Remark] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)
    refusals: list[Remark] = field(default_factory=list)
    lambdas: list[tuple[str, str]] = field(default_factory=list)

    def edit(self, edit: Edit, where: str, detail: str = "", is_default: bool = False) -> None:
        """Note an edit."""
        self.edits.append(Applied(edit, where, detail, is_default))

    def guess(self, where: str, text: str) -> None:
        """Note an assumption."""
        self.guesses.append(Remark(where, text))

    def guess_once(self, where: str, text: str) -> None:
        """Note an assumption, unless the same is noted already."""
        if (guess := Remark(where, text)) not in self.guesses:
            self.guesses.append(guess)

    def lose(self, where: str, text: str) -> None:
        """Note a part that the target will lack."""
        self.losses.append(Remark(where, text))

    def need(self, where: str, text: str, kind: NeedKind = NeedKind.CLASS, module: str = "") -> None:
        """Note a need of the target, each only once."""
        if all(need.where != where for need in self.needs):
            self.needs.append(Need(where, text, kind, module))

    def refuse(self, where: str, text: str) -> None:
        """Note a part without an exact equivalent. The conversion fails at its end, with all refusals."""
        self.refusals.append(Remark(where, text))
