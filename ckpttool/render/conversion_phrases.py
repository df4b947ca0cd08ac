"""Phrases on conversions that the outputs share: the headline, rows of edits and of changed weights, remarks."""

from collections.abc import Iterable, Sequence

from ckpttool.conversion import FORMS, Conversion, Edit, Remark, Transform
from ckpttool.conversion.journal import Applied
from ckpttool.conversion.prove.keras_run import Prediction
from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.render.style import Style, count_of, size

EDIT_HEADERS = ["edit", "layers", "what", "first at"]
TRANSFORM_HEADERS = ["weight", "what was done"]
_RED, _GREEN, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"
_SHOWN = 40


def headline(conversion: Conversion, style: Style) -> str:
    """Three lines: source, verdict and target; the formats; the numbers of weights."""
    source, target = printable(str(conversion.source)), printable(str(conversion.target))
    verdict, color = "would be converted to", _GREEN
    if conversion.refusals:
        verdict, color = "cannot be converted exactly to", _RED
    elif conversion.proved:
        verdict = "converted to"
    verdict = f"{color}{verdict}{_PLAIN}" if style.color else verdict
    config = f", {conversion.writer} config" if conversion.writer else ""
    forms = f"{FORMATS[conversion.kind].title}{config}, to {FORMS[conversion.form].title}"
    count = conversion.copied + len(conversion.transforms)
    changed = f", {len(conversion.transforms):,} changed" if conversion.transforms else ""
    proof = "; read back and compared" if conversion.proved else ""
    total = f"{count_of(conversion.parameters, 'parameter')}, {size(conversion.nbytes)}"
    weights = f"{count_of(count, 'weight')}: {conversion.copied:,} bit for bit{changed} ({total}){proof}"
    return f"{source}: {verdict} {target}\n{forms}\n{weights}"


def remarks(conversion: Conversion) -> list[str]:
    """Refusals, losses, guesses and needs, a line each."""
    lines = [f"! {remark(entry)}" for entry in conversion.refusals]
    lines += [f"- lost: {remark(entry)}" for entry in conversion.losses]
    lines += [f"? guessed: {remark(entry)}" for entry in conversion.guesses]
    lines += [f"+ needs: {remark(entry)}" for entry in conversion.needs]
    return [*lines, *predicted(conversion)]


def predicted(conversion: Conversion) -> list[str]:
    """A line on the prediction of Keras with the new model, or on the reason why it was not run."""
    prediction = conversion.prediction
    if prediction is None:
        return [f"= not run with Keras: {printable(conversion.unpredicted, 300)}"] if conversion.unpredicted else []
    shapes, inputs = (", ".join(map(str, of)) for of in (prediction.outputs, prediction.inputs))
    compiled = ", compiled," if prediction.compiled else ""
    finite = "" if prediction.finite else ", not all of it finite"
    result = f"predicts {shapes} from {inputs}{finite}; {_compared(prediction)}"
    return [f"= Keras {prediction.keras} loads it{compiled} and {result}"]


def _compared(prediction: Prediction) -> str:
    """The result of the comparison with the predictions of the old model, or the reason why there is none."""
    if prediction.difference is not None:
        return f"tf_keras predicts the same with the old model (largest difference {prediction.difference:.1g})"
    return f"not compared with the old model: {printable(prediction.old, 200)}"


def remark(noted: Remark) -> str:
    """A refusal, loss, guess or need with its place, in a line."""
    where = f"{printable(noted.where, 200)}: " if noted.where else ""
    return f"{where}{printable(noted.what, 400)}"


def edit_rows(edits: Iterable[Applied]) -> list[list[str]]:
    """The cells of a table of edits."""
    groups: dict[tuple[Edit, str], list[Applied]] = {}
    for applied in edits:
        groups.setdefault((applied.edit, applied.detail), []).append(applied)
    rows = [
        [edit.name, f"{len(of):,}", printable(detail, 60), printable(of[0].where, 40)]
        for (edit, detail), of in groups.items()
    ]
    return _shortened(rows)


def transform_rows(transforms: Sequence[Transform]) -> list[list[str]]:
    """The cells of a table of changed weights."""
    return _shortened([[printable(transform.weight, 100), ", ".join(transform.changes)] for transform in transforms])


def _shortened(rows: list[list[str]]) -> list[list[str]]:
    if len(rows) <= _SHOWN:
        return rows
    rest = ["..."] * len(rows[0])
    rest[-1] = f"and {len(rows) - _SHOWN:,} more; --output json has all"
    return [*rows[:_SHOWN], rest]
