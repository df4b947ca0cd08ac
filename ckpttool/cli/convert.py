"""`ckpttool convert`."""

import re
import sys

import click

from ckpttool.cli import options
from ckpttool.cli.emit import DIFFERENT, emit, progress, wants_color
from ckpttool.conversion import FORMS, Options, convert, plan
from ckpttool.conversion.targets import DEFAULT_SHARD
from ckpttool.formats import open_checkpoint
from ckpttool.render import Style
from ckpttool.render.conversions import CONVERSION_OUTPUTS, catalogue

_UNITS = {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]B)?", re.IGNORECASE)


def _list_edits(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        emit(catalogue())
        ctx.exit()


def _bytes(ctx: click.Context, param: click.Parameter, value: str | None) -> float:
    if value is None:
        return DEFAULT_SHARD
    match = _SIZE.fullmatch(value.strip())
    if not match or not float(match[1]):
        raise click.BadParameter(f"{value!r} is no size such as 500MB or 5GB")
    return float(match[1]) * _UNITS[(match[2] or "").upper()]


def _functions(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    functions = dict[str, str]()
    for value in values:
        name, _, place = value.partition("=")
        if not re.fullmatch(r"[\w.]+:\w+", place):
            raise click.BadParameter(f"{value!r} is not NAME=package.module:function")
        functions[name] = place
    return functions


def _announced(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if not ctx.resilient_parsing:
        options.runs(value)
    return value


@click.command("convert", short_help="Convert an old model to Keras 3.")
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@click.option(
    "--arch",
    type=click.Path(),
    metavar="FILE|package.module:function",
    callback=_announced,
    help="The model, for a file of weights only; or a function of yours that builds it, for classes of your own.",
)
@click.option("--to", type=click.Choice(list(FORMS)), help="Form of the target, where its name does not say.")
@click.option("--force", is_flag=True, help="Replace TARGET where it is there already.")
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing.")
@click.option(
    "--source-backend",
    type=click.Choice(["theano", "tensorflow"]),
    help="The backend that wrote the kernels, where a file of Keras 0 or 1 does not say.",
)
@click.option("--keep-weights", is_flag=True, help="Register the old hard_sigmoid instead of scaling weights.")
@click.option(
    "--replace",
    "functions",
    multiple=True,
    metavar="LAYER=package.module:function",
    callback=_functions,
    help="Put a function of yours in place of a Lambda layer; of several, where LAYER is a pattern such as block_*.",
)
@click.option(
    "--builtin",
    "builtins",
    multiple=True,
    metavar="NAME",
    help="Take the author's own activation or class NAME for the one that Keras 3 has under this name.",
)
@options.part
@click.option("--no-compile", is_flag=True, help="Leave out loss, metrics and optimizer.")
@click.option("--no-optimizer", is_flag=True, help="Leave out the state of the optimizer.")
@click.option("--max-shard-size", callback=_bytes, metavar="SIZE", help="Largest shard of .weights.json, as 5GB.")
@click.option(
    "--prove/--no-prove",
    default=None,
    help="Load the new model with Keras, in a process of its own, and predict; small models are, where Keras is there.",
)
@click.option("--list-edits", is_flag=True, is_eager=True, expose_value=False, callback=_list_edits,
              help="Print every kind of edit, and when it is exact.")  # fmt: skip
@options.output(CONVERSION_OUTPUTS)
@options.color
def command(
    source: str,
    target: str,
    arch: str | None,
    to: str | None,
    force: bool,
    dry_run: bool,
    source_backend: str | None,
    keep_weights: bool,
    functions: dict[str, str],
    builtins: tuple[str, ...],
    part: str,
    no_compile: bool,
    no_optimizer: bool,
    max_shard_size: float,
    prove: bool | None,
    output: str,
    color: str,
) -> None:
    """Convert SOURCE, a checkpoint of any Keras, to Keras 3 as TARGET, without Keras and without running its code.

    The config is rewritten by named edits, every weight goes to its place in Keras 3, and the new file is read back and
    compared before it takes its place. If parts have no exact form in Keras 3, all of them are listed and nothing is
    written. The form of TARGET follows from its name: .keras, .weights.h5, .weights.json (sharded), .h5 (weights in the
    legacy layout).

    Where Keras 3 is installed, it then loads the new file and predicts on seeded input, if the weights are at most
    32 MiB and nothing of your own is needed (--prove: always, --no-prove: never); tf_keras does so with the old model
    where that is installed, and the two must agree. For layers of your own classes, --arch names a function that
    returns a model of Keras 3: it is run in a process of its own, and its model has the config and places of weights.

    Exit codes: 0 converted, 1 a dry run found that it cannot be, 2 could not be done.

    \b
    Examples:
      ckpttool convert old.h5 new.keras
      ckpttool convert weights.h5 new.keras --arch model.json
      ckpttool convert weights.h5 new.keras --arch train.models:build
      ckpttool convert model.keras model.weights.h5
    """
    chosen = Options(keep_weights, functions, not no_compile, not no_optimizer, frozenset(builtins), part)
    show, style = CONVERSION_OUTPUTS[output], Style(color=wants_color(color))
    if dry_run:
        emit(show(planned := plan(source, target, arch, to, source_backend, chosen), style))
        raise click.exceptions.Exit(DIFFERENT if planned.refusals else 0)
    result = convert(
        source, target, arch=arch, to=to, force=force, source_backend=source_backend, options=chosen,
        max_shard_bytes=max_shard_size, prove=prove, on_progress=progress(_work(source), "converting"),
    )  # fmt: skip
    emit(show(result, style))


def _work(source: str) -> int:
    """The bytes to write and to read back, for the progress bar; 0 where none is drawn, so that no file is opened."""
    if not sys.stderr.isatty():
        return 0
    with open_checkpoint(source) as opened:
        return 2 * sum(weight.nbytes for weight in opened.values())
