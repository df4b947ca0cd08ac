"""`ckpttool textconv`."""

import click

from ckpttool.cli.emit import emit
from ckpttool.comparison.fingerprints import fingerprint
from ckpttool.formats import open_checkpoint
from ckpttool.render.fingerprints import lines


@click.command("textconv", short_help="Print a checkpoint as stable text, for git diff.")
@click.argument("path", type=click.Path())
def command(path: str) -> None:
    """Print a checkpoint as text that is the same for the same content: a line a layer, a line a weight, sorted.

    It is made for git, whose diff then shows which layers and which weights of a checkpoint changed. In .gitattributes:

    \b
      *.keras diff=ckpttool

    \b
    and once on each machine:
      git config diff.ckpttool.textconv "ckpttool textconv --"

    \b
    Example:
      ckpttool textconv model.keras
    """
    with open_checkpoint(path) as checkpoint:
        result = fingerprint(checkpoint)
    emit(lines(result))
