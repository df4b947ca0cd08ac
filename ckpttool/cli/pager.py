"""The pager for results that are longer than the terminal, as git has it: the user's own, or `less`."""

import os
import shutil

import click

_LESS = "FRX"  # short texts are printed, colours kept, and the text stays on the screen: git's own choice
_MARKUP = ("<!DOCTYPE html", "<svg")


def is_wanted(text: str) -> bool:
    """Whether a text goes to the pager: it does not fit the terminal, and the user neither says --no-pager nor names
    no pager. Pages and pictures are for other programs, and the length of their lines stops a pager."""
    if text.startswith(_MARKUP):
        return False
    context = click.get_current_context(silent=True)
    refused = context is not None and context.find_root().params.get("no_pager")
    if refused or os.environ.get("PAGER", "less") in ("", "cat"):
        return False
    return text.count("\n") + 2 > shutil.get_terminal_size().lines


def show(text: str) -> None:
    """Show a text on the terminal, in the pager where it is wanted."""
    if not is_wanted(text):
        click.echo(text, color=True)
        return
    os.environ.setdefault("LESS", _LESS)
    click.echo_via_pager(text, color=True)
