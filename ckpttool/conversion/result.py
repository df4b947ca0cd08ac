"""The result of a conversion, or of its plan, as a value."""

from dataclasses import dataclass
from pathlib import Path

from ckpttool.conversion.journal import Applied, Need, Remark
from ckpttool.conversion.prove.keras_run import Prediction
from ckpttool.escape import brief
from ckpttool.notebook import Displayed


@dataclass(frozen=True, slots=True)
class Transform:
    """A weight whose values or shape were changed: its label in the new model, the paths of its sources, and the
    changes."""

    weight: str
    stored: tuple[str, ...]
    changes: tuple[str, ...]

    __repr__ = brief


@dataclass(frozen=True, slots=True)
class Conversion(Displayed):
    """The plan of a conversion, and once it is done its proof.

    `writer` is the generation of Keras that wrote the config. `copied` is the number of weights that are unchanged, bit
    for bit, `transforms` are the others, `nbytes` the bytes of all. `renamed` are layers with a new label. `refusals`
    stop the conversion: a plan may have them, a conversion that was written has none. `proved` says that the new file
    was read back, that every weight was compared with its source, and that every slot of the new config is filled.
    `prediction` is that of Keras with the new model, where it was run; `unpredicted` says why it was not.
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
        counts = ", ".join(f"{len(notes):,} {name}" for name, notes in parts.items())
        state = "proved" if self.proved else "planned"
        return f"<Conversion {self.source.name!r} to {self.target.name!r}: {state}, {counts}>"
