"""Writing to standard output and error: no other module does."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable

import click

from ckpttool.checkpoint import Refusal
from ckpttool.errors import FileAccessError
from ckpttool.escape import printable

DONE, DIFFERENT, FAILED = 0, 1, 2

_SHOWN = 20
_PATIENCE = 1.0  # seconds before a progress bar appears


def emit(text: str, *, may_page: bool = True) -> None:
    """Write a result to standard output, through the pager where it is longer than the terminal.

    Characters that its encoding lacks are escaped, not fatal.
    """
    encoding = sys.stdout.encoding or "utf-8"
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        if may_page and sys.stdin.isatty() and sys.stdout.isatty():
            from ckpttool.cli.pager import show  # here, since pipes have none

            show(shown)
        else:
            click.echo(shown, color=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileAccessError(f"standard output cannot be written: {error.strerror or error}") from error


def emit_to(output_file: str | None, text: str) -> None:
    """Write a result to a file, or to standard output where none is named, or `-`."""
    if output_file is None or output_file == "-":
        emit(text)
    else:
        from ckpttool.io.replacement import put_text  # here, since few commands write a file

        put_text(output_file, f"{text}\n".encode("utf-8", "backslashreplace"))


def fail(message: str) -> None:
    """Write an error to standard error; the message has been escaped by the error itself."""
    say(f"error: {message}")


def say(line: str) -> None:
    """Write a line to standard error, if it can be written."""
    with contextlib.suppress(OSError):
        click.echo(line, err=True)


def warn(place: str, refusals: Iterable[Refusal], notes: Iterable[str]) -> None:
    """Write notes and refusals of reading to standard error, at most twenty lines."""
    lines = [*notes, *(f"{refusal.place or 'file'}: {refusal.detail} [{refusal.kind}]" for refusal in refusals)]
    for line in lines[:_SHOWN]:
        say(f"warning: {printable(place)}: {printable(line)}")
    if len(lines) > _SHOWN:
        say(f"warning: {printable(place)}: and {len(lines) - _SHOWN:,} more; --output json has all")


def progress(total: int, label: str = "reading") -> Callable[[int], None]:
    """A callback for the bytes done; draws a bar on standard error once it takes long, and only on a terminal."""
    if not sys.stderr.isatty() or not total:
        return lambda nbytes: None
    begun, bar, done = time.monotonic(), None, 0

    def update(nbytes: int) -> None:
        nonlocal bar, done
        done += nbytes
        if bar is None and time.monotonic() - begun > _PATIENCE:
            bar = click.progressbar(length=total, label=label, file=sys.stderr)
            bar.update(done)
        elif bar is not None:
            bar.update(nbytes)
        if bar is not None and done >= total:
            bar.render_finish()

    return update


def takes_pictures() -> bool:
    """Whether standard output is a terminal that takes Unicode."""
    return sys.stdout.isatty() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def wants_color(choice: str) -> bool:
    """Whether to colour: as chosen, else on a terminal where NO_COLOR is not set (no-color.org)."""
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
