"""`ckpttool diff`."""

import os
from dataclasses import replace
from pathlib import Path

import click

from ckpttool.alignment.architectures import open_model
from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.cli import options
from ckpttool.cli.emit import DIFFERENT, DONE, FAILED, emit, fail, progress, takes_pictures, wants_color, warn
from ckpttool.comparison import PARTS, Diff, Scope, Tolerance, unmet_expectations
from ckpttool.equivalence import diff
from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from ckpttool.inspection.listing import list_checkpoint
from ckpttool.render import DIFF_OUTPUTS, LISTING_OUTPUTS, Style

_OF_GIT = (7, 9)  # the number of arguments of an external diff of git: 9 where the file was renamed
_NOTHING = "nothing"


class _Parts(click.ParamType[tuple[str, ...]]):
    """Parts of a checkpoint, separated by commas, or "nothing"."""

    name = "parts"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in str(value).split(","))
        unknown = [part for part in parts if part not in (*PARTS, _NOTHING)]
        if unknown:
            self.fail(f"{', '.join(unknown)}: none of {', '.join((*PARTS, _NOTHING))}", param, ctx)
        return parts


@click.command("diff", short_help="Show what changed between two checkpoints.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="A B")
@click.option("--match", multiple=True, metavar="GLOB", help="Only layers or weights that match, such as 'block5_*'.")
@click.option("--layers", is_flag=True, help="One row a layer.")
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N most changed rows.")
@click.option("--rtol", type=click.FloatRange(0), default=0.0, help="Relative difference that is no change [0].")
@click.option("--atol", type=click.FloatRange(0), default=0.0, help="Absolute difference that is no change [0].")
@click.option("--equal-nan", is_flag=True, help="Any NaN equals any other; else only one of the same bits.")
@click.option("--exact", is_flag=True, help="Count what convert changes without a change of meaning, too.")
@click.option("--optimizer", is_flag=True, help="Show the state of the optimizer, and count it as a difference.")
@click.option("--expect-frozen", multiple=True, metavar="GLOB", help="Layers or weights that must not have changed.")
@click.option("--expect-changed", multiple=True, metavar="GLOB", help="Layers or weights that must have changed.")
@click.option(
    "--fail-on",
    type=_Parts(),
    metavar="PARTS",
    help=f"The parts whose differences make exit code 1, of {', '.join((*PARTS, _NOTHING))}; with commas "
    "[all, or only expectations where there are any].",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; only the exit code counts.")
@options.arch
@options.output(DIFF_OUTPUTS)
@options.color
def command(
    paths: tuple[str, ...],
    match: tuple[str, ...],
    layers: bool,
    top: int | None,
    rtol: float,
    atol: float,
    equal_nan: bool,
    exact: bool,
    optimizer: bool,
    expect_frozen: tuple[str, ...],
    expect_changed: tuple[str, ...],
    fail_on: tuple[str, ...] | None,
    quiet: bool,
    arch: str | None,
    output: str,
    color: str,
) -> None:
    """Show what changed from checkpoint A to checkpoint B: structure, values, config.

    A and B are checkpoints of any formats and any generations of Keras. Weights are paired by the slots of their
    layers, whatever their names in the file are; renamed layers are found by their content. Values are compared bit for
    bit unless a tolerance is given. For an architecture in JSON or YAML the config alone is compared.

    Exit codes: 0 the same, 1 different or not as expected, 2 could not be compared, in part or as a whole.

    \b
    Examples:
      ckpttool diff before.keras after.keras
      ckpttool diff old.h5 converted.keras
      ckpttool diff base.keras tuned.keras --expect-frozen 'backbone/*' --layers
    """
    architecture = options.architecture(arch)
    drawn = output == "text" and not layers and not quiet and takes_pictures()
    scope = Scope(Tolerance(rtol, atol, equal_nan), match, optimizer, architecture, exact, output == "html" or drawn)
    style = Style(layers=layers, top=top, color=wants_color(color), sparklines=drawn)
    if len(paths) in _OF_GIT:
        _for_git(paths, scope, output, style)
        return
    if len(paths) != 2:
        raise click.UsageError(f"two checkpoints are compared, {len(paths)} are given")
    result = _compared(paths[0], paths[1], scope)
    failures = unmet_expectations(result, expect_frozen, expect_changed)
    if not quiet:
        emit(DIFF_OUTPUTS[output](result, style))
        for failure in failures:
            fail(f"expected {failure.glob!r} to be {failure.expected}: {failure.weight} is {failure.actual}")
    default = () if expect_frozen or expect_changed else PARTS
    raise click.exceptions.Exit(_code(result, bool(failures), default if fail_on is None else fail_on))


def _code(result: Diff, failed: bool, counted: tuple[str, ...]) -> int:
    if not result.is_complete:
        return FAILED
    return DIFFERENT if failed or result.differences & set(counted) else DONE


def _compared(a: str, b: str, scope: Scope) -> Diff:
    with open_model(a) as one, open_model(b) as other:
        work = sum(_nbytes(side, scope.optimizer) for side in (one, other))
        result = diff(one, other, scope, progress(work, "comparing"))
    for path, side in ((a, one), (b, other)):
        warn(path, side.refusals, side.notes)
    if scope.match and not (result.pairs or result.removed or result.added):
        fail(f"{a}, {b}: nothing matches {', '.join(scope.match)}")
    return result


def _nbytes(checkpoint: Checkpoint, with_state: bool) -> int:
    kinds = {Section.MODEL, Section.OTHER, Section.OPTIMIZER}
    return sum(weight.nbytes for weight in checkpoint.values() if weight.section in kinds)


def _for_git(paths: tuple[str, ...], scope: Scope, output: str, style: Style) -> None:
    """Print a diff for git's arguments of an external diff: path, old file, hash, mode, new file, hash, mode, new path.

    A file that is on one side alone is listed. git stops altogether where the exit code is not 0, so an error is
    printed like a result (gitattributes(5), "diff.<driver>.command", and GIT_EXTERNAL_DIFF in git(1)).
    """
    name, old, new = paths[0], paths[1], paths[4]
    renamed = paths[7] if len(paths) > 7 else name
    try:
        if os.devnull in (old, new):
            emit(_listed(new if old == os.devnull else old, name, "added" if old == os.devnull else "removed"))
            return
        result = _compared(old, new, scope)
        sides = (("a", name, result.a), ("b", renamed, result.b))
        a, b = (replace(side, path=Path(mark, path)) for mark, path, side in sides)
        emit(DIFF_OUTPUTS[output](replace(result, a=a, b=b), style))
    except CheckpointError as error:
        error.path = name  # what git calls the file, not where it put a copy
        emit(str(error))


def _listed(path: str, name: str, title: str) -> str:
    with open_checkpoint(path) as checkpoint:
        listing = replace(list_checkpoint(checkpoint), path=Path(name))
    return f"{title}: {LISTING_OUTPUTS['text'](listing, Style(layers=True))}"
