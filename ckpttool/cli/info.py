"""`ckpttool info`."""

import click

from ckpttool.cli import options
from ckpttool.cli.emit import FAILED, emit, fail, wants_color, warn
from ckpttool.formats import open_checkpoint
from ckpttool.inspection.architectures import expected_in
from ckpttool.inspection.info import describe
from ckpttool.render import INFO_OUTPUTS, Style
from ckpttool.render.expected import EXPECTED_INFO_OUTPUTS
from ckpttool.render.json import config as config_json


@click.command("info", short_help="Describe a checkpoint: its format, its writer and its model.")
@click.argument("path", type=click.Path())
@click.option("--config", is_flag=True, help="Print the stored config as formatted JSON instead.")
@options.output(INFO_OUTPUTS)
@options.color
def command(path: str, config: bool, output: str, color: str) -> None:
    """Describe a checkpoint: its format, its writer, its model and what that was compiled with.

    \b
    Examples:
      ckpttool info old.h5
      ckpttool info model.keras --config
    """
    expected = None if config else expected_in(path)
    if expected is not None:
        emit(EXPECTED_INFO_OUTPUTS[output](expected, Style(color=wants_color(color))))
        return
    with open_checkpoint(path) as checkpoint:
        if config:
            if checkpoint.config is None:
                fail(f"{path}: no config is stored in it, only weights")
                raise click.exceptions.Exit(FAILED)
            emit(config_json(checkpoint.config))
            return
        result = describe(checkpoint)
    emit(INFO_OUTPUTS[output](result, Style(color=wants_color(color))))
    warn(path, result.refusals, result.notes)
    if result.kind == "hdf5":
        raise click.exceptions.Exit(FAILED)
