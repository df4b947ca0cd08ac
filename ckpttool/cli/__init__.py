"""The command line: options in, one call into the library, text out. Exit codes are named here, once."""

import importlib
import os
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import click

from ckpttool import __version__
from ckpttool.cli.exits import failures, guard_memory, open_streams, orderly
from ckpttool.errors import CheckpointError

COMMANDS = {
    "ls": "List the layers and weights of checkpoints.",
    "info": "Describe a checkpoint: its format, its writer and its model.",
    "graph": "Draw the layers of a model and the connections between them.",
    "verify": "Verify that weights load into an architecture.",
    "spec": "Write a list of the weights that an architecture expects.",
    "diff": "Show what changed between two checkpoints.",
    "convert": "Convert an old model to Keras 3.",
    "check": "Judge checkpoints before they are deployed.",
    "rule": "Explain the rules of `check`.",
    "report": "Write all about a checkpoint as one page of HTML.",
    "textconv": "Print a checkpoint as stable text, for git diff.",
}
"""The commands, each in the module of its name, with the first line of their help: listing them imports none."""


class _Group(click.Group):
    """A group that imports a command only when it is called, and turns errors into a message and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"ckpttool.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **kwargs: Any) -> click.Context:
        with failures():
            _refuse_names_like_options(args)
            return super().make_context(info_name, args, *more, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        with failures():
            return super().invoke(ctx)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        open_streams()
        guard_memory()
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing here multiplies large matrices
        with orderly():
            return super().main(*args, **kwargs)


def _refuse_names_like_options(args: Sequence[str]) -> None:
    """Raise CheckpointError if an option is the name of an existing file: a shell's `*` may have put it among the
    paths."""
    for arg in takewhile(lambda arg: arg != "--", args):
        if arg.startswith("-") and len(arg) > 1 and os.path.lexists(arg):
            raise CheckpointError(
                f"{arg!r} is an option, and a file of this name is here",
                hint="put -- in front of the paths, or ./ in front of this one; or rename the file",
            )


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="ckpttool %(version)s")
@click.option("--no-pager", is_flag=True, help="Print results that are longer than the terminal, too.")
def main(no_pager: bool) -> None:
    """Open any Keras checkpoint without TensorFlow, and see what is in it.

    Exit codes: 0 done, 1 differences or findings, 2 could not be done.

    \b
    Example:
      ckpttool ls model.weights.h5
    """
