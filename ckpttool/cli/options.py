"""Options that several commands share."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def output(choices: Iterable[str]) -> Callable[[F], F]:
    """`--output`, with the outputs that there are for this command."""
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
