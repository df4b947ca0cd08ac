"""`ckpttool verify`."""

import click

from ckpttool.alignment.object_parts import checkpoint_of
from ckpttool.checkpoint import Section
from ckpttool.cli import options
from ckpttool.cli.emit import DIFFERENT, FAILED, emit, progress, wants_color, warn
from ckpttool.formats import open_checkpoint
from ckpttool.render import VERIFY_OUTPUTS, Style
from ckpttool.verification import LOADERS, Allowed, VerifyResult, verify

_EXITS = {"does not load": DIFFERENT, "cannot tell": FAILED}


@click.command("verify", short_help="Verify that weights load into an architecture.")
@click.argument("checkpoint", type=click.Path())
@click.argument("architecture", type=click.Path())
@click.option(
    "--by", type=click.Choice(["auto", *LOADERS]), default="auto", show_default=True, help="Way of loading to imitate."
)
@click.option("--allow-missing", multiple=True, metavar="GLOB", help="Layers or weights that may be missing.")
@click.option("--allow-unexpected", multiple=True, metavar="GLOB", help="Layers or weights that may be left over.")
@click.option(
    "--skip-mismatch",
    is_flag=True,
    help="As load_weights(skip_mismatch=True): weights that Keras then skips are accepted.",
)
@click.option(
    "--dtype",
    type=click.Choice(["castable", "strict"]),
    default="castable",
    show_default=True,
    help="Whether weights of another dtype, which Keras casts, load.",
)
@options.part
@click.option("--optimizer", is_flag=True, help="Verify the state of the optimizer too.")
@click.option(
    "--for",
    "loaded_by",
    type=click.Choice(["writer", "keras3"]),
    default="writer",
    show_default=True,
    help="Who must build the architecture for exit code 0: the Keras that wrote it, or Keras 3, compiled too.",
)
@click.option("--values", is_flag=True, help="Search all weights for NaN and Inf; reads all values.")
@options.output(VERIFY_OUTPUTS)
@options.color
def command(
    checkpoint: str,
    architecture: str,
    by: str,
    allow_missing: tuple[str, ...],
    allow_unexpected: tuple[str, ...],
    skip_mismatch: bool,
    dtype: str,
    part: str,
    optimizer: bool,
    loaded_by: str,
    values: bool,
    output: str,
    color: str,
) -> None:
    """Verify that the weights in CHECKPOINT load into ARCHITECTURE as Keras would load them, without Keras.

    ARCHITECTURE is a whole model, an architecture in JSON or YAML, a spec written by `ckpttool spec`, or another
    checkpoint, whose places and shapes are then what is expected. It can also be package.module:function, a function
    of your own that returns a Keras model: that runs your code, in a process of its own.

    Keras 3 does not build every architecture that Keras 1 and 2 wrote; the verdict says so, and --for keras3
    makes that exit code 1, and 2 where Keras 3 has to be given classes or functions of your own.

    Exit codes: 0 loads completely, 1 does not, 2 could not tell.

    \b
    Examples:
      ckpttool verify model.weights.h5 model.json
      ckpttool verify model.weights.h5 model.spec.json --output json
      ckpttool verify model.weights.h5 train.models:build
      ckpttool verify old.h5 old.h5 --for keras3
      ckpttool verify backbone.weights.h5 model.keras --allow-missing 'head/*'
      ckpttool verify coco.h5 model.json --by name --skip-mismatch
    """
    allowed = Allowed(allow_missing, allow_unexpected, dtype == "strict", optimizer)
    with open_checkpoint(checkpoint) as opened:
        work = sum(weight.nbytes for weight in opened.section(Section.MODEL)) if values else 0
        chosen = checkpoint_of(opened, part) if part else opened
        expected = options.model_of_function(architecture) or architecture
        result = verify(chosen, expected, by, allowed, values, progress(work), skip_mismatch)
        notes = opened.notes
    emit(VERIFY_OUTPUTS[output](result, Style(color=wants_color(color))))
    warn(checkpoint, (), notes)
    raise click.exceptions.Exit(
        _in_keras_3(result) if loaded_by == "keras3" and result.ok else _EXITS.get(result.verdict, 0)
    )


def _in_keras_3(result: VerifyResult) -> int:
    """The exit code for Keras 3 of weights that fit: 2 where loading depends on code of the user's own."""
    if not result.loads_in_keras_3:
        return DIFFERENT
    return FAILED if result.own_names else 0
