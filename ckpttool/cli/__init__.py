"""The command line: options in, one call into the library, text out. Exit codes are named here, once."""

import importlib

import click

from ckpttool import __version__
from ckpttool.cli.emit import FAILED, fail
from ckpttool.errors import CheckpointError

COMMANDS = {
    "ls": "ckpttool.cli.ls",
    "info": "ckpttool.cli.info",
    "verify": "ckpttool.cli.verify",
    "spec": "ckpttool.cli.spec",
    "diff": "ckpttool.cli.diff",
    "textconv": "ckpttool.cli.textconv",
}


class _Group(click.Group):
    """Imports a command only when it is asked for, and turns any `CheckpointError` into a message and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CheckpointError as error:
            fail(str(error))
        except KeyboardInterrupt:
            fail("interrupted")
        return ctx.exit(FAILED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="ckpttool %(version)s")
def main() -> None:
    """Open any Keras checkpoint without TensorFlow, and see what is in it.

    Exit codes: 0 done, 1 differences or findings, 2 could not be done.

    \b
    Example:
      ckpttool ls model.weights.h5
    """
