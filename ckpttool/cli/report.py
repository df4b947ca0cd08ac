"""`ckpttool report`."""

import os
import sys
from pathlib import Path

import click

from ckpttool.checks.configuration import nearest_configuration, read_policy
from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.cli import options
from ckpttool.cli.emit import emit_to, progress
from ckpttool.formats import open_checkpoint
from ckpttool.render import html
from ckpttool.reports import report

_ENDINGS = (".html", ".htm")


@click.command("report", short_help="Write all about a checkpoint as one page of HTML.")
@click.argument("path", type=click.Path())
@click.option("--output-file", "-o", type=click.Path(), help="Write to this file instead of standard output (-).")
@click.option("--baseline", type=click.Path(), metavar="FILE", help="Show what changed since this checkpoint.")
@click.option("--config", type=click.Path(), metavar="FILE", help="Take the policy of the check from this file.")
@click.option("--isolated", "config", flag_value="", help="Look for no pyproject.toml or ckpttool.toml.")
def command(path: str, output_file: str | None, baseline: str | None, config: str | None) -> None:
    """Write all about a checkpoint as one page: facts, findings of `check`, whether it loads, what a conversion to
    Keras 3 would do, and every layer and weight with its histogram.

    The page is one file that asks for nothing from anywhere: it opens from disk, in light and in dark, on a phone and
    on paper. Names in the checkpoint are shown as text, and no script but the page's own runs. All values are read.

    Exit codes: 0 written, whatever was found; 2 could not be done.

    \b
    Examples:
      ckpttool report model.keras -o report.html
      ckpttool report tuned.keras --baseline base.keras -o report.html
    """
    _check_ending(output_file or "")
    if output_file is not None:
        options.check_text_file(output_file, [os.fspath(file) for file in (path, baseline) if file])
    text = html.report(report(path, baseline, _policy(config), progress(_work(path))))
    emit_to(output_file, text)


def _check_ending(output_file: str) -> None:
    """Refuse a name that promises another format than HTML. Raises UsageError."""
    ending = os.path.splitext(output_file)[1]
    if ending and ending.lower() not in _ENDINGS:
        name = os.path.basename(output_file)
        raise click.UsageError(f"{name}: a report is a page of HTML, expected a name that ends in .html or .htm")


def _work(path: str) -> int:
    """The bytes of values to read, for the progress bar; 0 where none is drawn, so that no file is opened for it."""
    if not sys.stderr.isatty():
        return 0
    with open_checkpoint(path) as opened:
        return sum(weight.nbytes for weight in opened.values())


def _policy(config: str | None) -> Policy:
    """The policy of a configuration file: of the one given, else of the nearest."""
    place = nearest_configuration(Path()) if config is None else config
    return read_policy(place) if place else EVERYTHING
