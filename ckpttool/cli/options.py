"""Options and arguments that several commands share."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ckpttool.cli.emit import say

if TYPE_CHECKING:
    from ckpttool.model.spec import Spec

F = TypeVar("F", bound=Callable[..., Any])


def output(choices: Iterable[str]) -> Callable[[F], F]:
    """The option `--output` with the outputs of a command."""
    return click.option(
        "--output", "-o", type=click.Choice(list(choices)), default="text", show_default=True, help="Output format."
    )


arch = click.option(
    "--arch", type=click.Path(), metavar="FILE", help="Take names and classes of layers from this model."
)

color = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour; auto means on a terminal and without NO_COLOR.",
)


def expected(architecture: str) -> "Spec | str":
    """The value of an argument ARCHITECTURE: the path itself, or the spec of the model that a function of the user's
    own returns. Prints a note where that runs code."""
    from ckpttool.model.live.user_function import architecture_of_function  # most commands never need it
    from ckpttool.model.spec import spec_of

    return spec_of(architecture_of_function(architecture)) if runs(architecture) else architecture


def runs(architecture: str | None) -> bool:
    """Whether an argument names a function of the user's own, and not a file; prints a note where it does, as that
    runs code."""
    from ckpttool.model.live.user_function import names_function

    if architecture is None or not names_function(architecture):
        return False
    say(f"note: running {architecture} in a process of its own")
    return True


def check_text_file(path: str, inputs: Iterable[str]) -> None:
    """Refuse to write a text over an input of the command or over any checkpoint: before any work that would be lost.

    Raises FileAccessError.
    """
    from ckpttool.io.replacement import refuse_checkpoint, refuse_inputs

    refuse_inputs(path, inputs)
    refuse_checkpoint(path)
