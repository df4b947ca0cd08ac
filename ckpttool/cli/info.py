"""`ckpttool info`."""

from typing import TYPE_CHECKING

import click

from ckpttool.cli import options
from ckpttool.cli.emit import FAILED, emit, fail, wants_color, warn
from ckpttool.formats import open_checkpoint
from ckpttool.inspection.info import describe
from ckpttool.io.texts import text_size
from ckpttool.kinds import FORMATS
from ckpttool.render import INFO_OUTPUTS, Style

if TYPE_CHECKING:
    from ckpttool.inspection.cost import InputShapes


@click.command("info", short_help="Describe a checkpoint: its format, its writer and its model.")
@click.argument("path", type=click.Path())
@click.option("--config", is_flag=True, help="Print the stored config as formatted JSON instead.")
@options.cost
@options.arch
@options.output(INFO_OUTPUTS)
@options.color
def command(
    path: str,
    config: bool,
    cost: bool,
    inputs: tuple[tuple[str, tuple[int, ...]], ...],
    arch: str | None,
    output: str,
    color: str,
) -> None:
    """Describe a checkpoint: its format, its writer, its model and what that was compiled with.

    PATH can also be an architecture in JSON or YAML, a spec, or package.module:function, a function of your own that
    returns a Keras model: that runs your code, in a process of its own.

    \b
    Examples:
      ckpttool info old.h5
      ckpttool info model.keras --config
      ckpttool info model.keras --cost --input 8,224,224,3
      ckpttool info model.weights.h5 --cost --arch model.json
    """
    if config and (cost or output not in ("text", "json")):
        raise click.UsageError("--config prints the config alone, as JSON: it goes with no other output and no --cost")
    question = options.cost_inputs(cost, inputs)
    style = Style(color=wants_color(color))
    if not config and _describe_expected(path, output, style, question):
        return
    with open_checkpoint(path) as checkpoint:
        if config:
            if checkpoint.config is None:
                fail(f"{path}: no config is stored in it, only weights")
                raise click.exceptions.Exit(FAILED)
            from ckpttool.render.json_values import config as config_json

            emit(config_json(checkpoint.config))
            return
        result = describe(checkpoint, question, options.architecture(arch))
    emit(INFO_OUTPUTS[output](result, style))
    warn(path, result.refusals, result.notes)
    if FORMATS[result.kind].is_foreign:
        raise click.exceptions.Exit(FAILED)


def _describe_expected(path: str, output: str, style: Style, cost: "InputShapes | None") -> bool:
    """Print the facts of an architecture, a spec or the model of a function, if the path is one of these."""
    own = options.model_of_function(path)
    if own is None and text_size(path) is None:
        return False
    from ckpttool.inspection.architectures import expected_by_architecture, expected_in
    from ckpttool.render.expected_weights import EXPECTED_INFO_OUTPUTS

    expected = expected_in(path, cost) if own is None else expected_by_architecture(own, path, cost)
    if expected is not None:
        emit(EXPECTED_INFO_OUTPUTS[output](expected, style))
    return expected is not None
