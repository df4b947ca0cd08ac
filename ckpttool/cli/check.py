"""`ckpttool check`."""

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ckpttool.checks.catalogue import RULES
from ckpttool.checks.configuration import nearest_configuration, read_policy
from ckpttool.checks.paths import checkpoints_at
from ckpttool.checks.policy import EVERYTHING, FAIL_ON, Policy
from ckpttool.checks.requirements import Requirements
from ckpttool.checks.result import CheckReport
from ckpttool.checks.runner import check
from ckpttool.cli import options
from ckpttool.cli.emit import DIFFERENT, DONE, FAILED, emit, progress, wants_color
from ckpttool.errors import CheckpointError
from ckpttool.formats import open_checkpoint
from ckpttool.render import Style
from ckpttool.render.checks import CHECK_OUTPUTS, SUFFIXES

_EXITS = {"clean": DONE, "passed": DONE, "findings": DIFFERENT, "not checked": FAILED}


def _codes(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip() for value in values for code in value.split(",") if code.strip())


def _sha256(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    if value is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise click.BadParameter(f"{value!r} is no SHA-256, which has 64 digits of 0 to 9 and a to f")
    return (value or "").lower()


@click.command("check", short_help="Judge checkpoints before they are deployed.")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option(
    "--select", multiple=True, callback=_codes, metavar="CODES", help="Only these rules, such as S,I101 [ALL]."
)
@click.option("--ignore", multiple=True, callback=_codes, metavar="CODES", help="Not these rules.")
@click.option(
    "--fail-on",
    type=click.Choice(list(FAIL_ON)),
    help="What makes exit code 1: errors, these and warnings about safety, all warnings, or all findings [safety].",
)
@click.option("--strict", "fail_on", flag_value="warning", help="The same as --fail-on warning.")
@click.option("--config", type=click.Path(), metavar="FILE", help="Take the policy from this file.")
@click.option("--isolated", "--no-config", "config", flag_value="", help="Look for no pyproject.toml or ckpttool.toml.")
@click.option(
    "--arch", type=click.Path(), metavar="FILE", help="A spec or an architecture that the weights have to fit."
)
@click.option("--baseline", type=click.Path(), metavar="FILE", help="The checkpoint to measure changes against.")
@click.option("--sha256", callback=_sha256, metavar="HEX", help="The checksum that the file must have.")
@click.option("--allow-empty", is_flag=True, help="Exit with code 0 where there is no checkpoint.")
@click.option("--jobs", "-j", type=click.IntRange(1), default=1, show_default=True, help="Processes to share the work.")
@options.output(CHECK_OUTPUTS)
@click.option(
    "--output-file",
    "files",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help=f"Write the report to this file too, as its name says ({', '.join(SUFFIXES)}), else as --output says.",
)
@options.color
def command(
    paths: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    fail_on: str | None,
    config: str | None,
    arch: str | None,
    baseline: str | None,
    sha256: str,
    allow_empty: bool,
    jobs: int,
    output: str,
    files: tuple[str, ...],
    color: str,
) -> None:
    """Judge checkpoints before they are deployed: are they safe, whole, sane in their numbers, as the project wants.

    PATHS are checkpoints, directories of them, or globs such as 'models/**/*.keras'. The nearest ckpttool.toml
    ([check]) or pyproject.toml ([tool.ckpttool.check]) configures the rules; options come on top of it. `ckpttool rule
    CODE` explains a rule.

    Exit codes: 0 clean, or passed with findings that do not fail it; 1 findings that fail it: errors, and warnings
    about safety, unless --fail-on says otherwise; 2 something could not be checked, or there was nothing to check.

    \b
    Examples:
      ckpttool check model.keras
      ckpttool check models --strict --jobs 4
      ckpttool check model.weights.h5 --arch model.spec.json --select S,I,R
      ckpttool check models --output github --output-file report.sarif --output-file report.md
    """
    if sha256 and len(paths) > 1:
        raise click.UsageError("--sha256 is the checksum of one checkpoint, and several are given")
    place = nearest_configuration(Path()) if config is None else config
    configured = read_policy(place) if place else EVERYTHING
    policy = replace(
        configured,
        select=select or configured.select,
        ignore=(*configured.ignore, *ignore),
        fail_on=FAIL_ON[fail_on] if fail_on else configured.fail_on,
        allow_empty=allow_empty or configured.allow_empty,
        requirements=replace(configured.requirements, **_nonempty(architecture=arch, baseline=baseline, sha256=sha256)),
    )
    _check_files(files, paths, place, policy.requirements)
    result = check(paths, policy, progress(_work(paths), "checking"), jobs)
    asked = replace(EVERYTHING, select=select or EVERYTHING.select, ignore=ignore)
    result = _with_configuration(result, place, policy, asked)
    _write(result, files, output)
    emit(CHECK_OUTPUTS[output](result, Style(color=wants_color(color))))
    raise click.exceptions.Exit(_EXITS[result.verdict])


def _check_files(
    files: Iterable[str], paths: Iterable[str], place: str | Path | None, requirements: Requirements
) -> None:
    """Refuse to write a report over any file that the check reads."""
    if files:
        read = [checkpoint for path in paths for checkpoint in checkpoints_at(path)]
        read += [os.fspath(path) for path in (place, requirements.architecture, requirements.baseline) if path]
        for file in files:
            options.check_text_file(file, read)


def _with_configuration(result: CheckReport, place: str | Path | None, policy: Policy, asked: Policy) -> CheckReport:
    """The report with the rules that would run without the configuration file, and that it leaves out."""
    if not place:
        return result
    off = tuple(code for code in policy.not_counting(RULES) if asked.counts(code))
    return replace(result, configuration=_shown(place), switched_off=off)


def _shown(place: str | Path) -> str:
    """The path of a configuration file, relative to the current directory if it is below that."""
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _nonempty(**requirements: str | None) -> dict[str, Any]:
    return {name: value for name, value in requirements.items() if value}


def _write(result: CheckReport, files: Sequence[str], output: str) -> None:
    """Write the report to files, each in the format of its suffix, else in the format `output`."""
    if not files:
        return
    from ckpttool.io.replacement import put_text  # few reports go to a file

    for path in files:
        name = next((name for suffix, name in SUFFIXES.items() if path.lower().endswith(suffix)), output)
        put_text(path, f"{CHECK_OUTPUTS[name](result, Style())}\n".encode("utf-8", "backslashreplace"))


def _work(paths: Iterable[str]) -> int:
    """The bytes of values to read, for the progress bar; 0 where none is drawn, so that no file is opened for it."""
    return sum(map(_nbytes, paths)) if sys.stderr.isatty() else 0


def _nbytes(path: str) -> int:
    total = 0
    with contextlib.suppress(CheckpointError):  # the check reports it
        for place in checkpoints_at(path):
            with open_checkpoint(place) as checkpoint:
                total += sum(weight.nbytes for weight in checkpoint.values())
    return total
