"""What a conversion did or will do, as a value."""

from dataclasses import dataclass
from pathlib import Path

from ckpttool.conversion.journal import Applied, Need, Remark
from ckpttool.conversion.prove.keras_run import Prediction
from ckpttool.notebook import Displayed


@dataclass(frozen=True, slots=True)
class Transform:
    """A weight that is not bit for bit what it was: its label in the new model, the paths in the source that it is made
    of, and what was done."""

    weight: str
    stored: tuple[str, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversion(Displayed):
    """The plan of a conversion, and once it is done its proof.

    `writer` is the generation of Keras whose words the source is in. `copied` is the number of weights that stay bit
    for bit what they were, `transforms` are the others, `nbytes` the bytes of all. `renamed` are layers with another
    label than before. `refusals` stop the conversion: a plan may have them, what was written has none. `proved` says
    that the new file was read back, every weight compared with its source, and every slot of the new config found
    filled; `prediction` is what Keras made of it, where that was asked for.
    """

    source: Path
    target: Path
    kind: str
    form: str
    model: str
    writer: str
    edits: tuple[Applied, ...] = ()
    guesses: tuple[Remark, ...] = ()
    losses: tuple[Remark, ...] = ()
    needs: tuple[Need, ...] = ()
    refusals: tuple[Remark, ...] = ()
    transforms: tuple[Transform, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    copied: int = 0
    parameters: int = 0
    nbytes: int = 0
    proved: bool = False
    prediction: Prediction | None = None
    unpredicted: str = ""

    def __repr__(self) -> str:
        parts = {"edits": self.edits, "guesses": self.guesses, "losses": self.losses, "refusals": self.refusals}
        found = ", ".join(f"{len(notes):,} {name}" for name, notes in parts.items())
        state = "proved" if self.proved else "planned"
        return f"<Conversion {self.source.name!r} to {self.target.name!r}: {state}, {found}>"
