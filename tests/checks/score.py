"""The share of hostile checkpoints that are flagged, by category, beside the verdicts of other scanners.

By hand: `python -m tests.checks.score FOLDER [--peer modelscan=COMMAND] [--peer modelaudit=COMMAND]`, FOLDER being made
by ../shared/adversarial/make.py, COMMAND the path of the peer's command, which is run on each case.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ckpttool.checks.rule import Severity

SECONDS = 60
TWIN = "benign-twin"

# What each rule is called among the categories of hostile checkpoints.
CATEGORIES = {
    "S101": "lambda-code",
    "S102": "unsafe-callable",
    "S103": "unsafe-callable",
    "S104": "custom-object",
    "S105": "external-savedmodel",
    "S106": "pickle-data",
    "S107": "external-path-config",
    "S108": "pickle-data",
    "S109": "pickle-data",
    "S110": "external-path-config",
    "S111": "unsafe-callable",
    "S112": "unsafe-callable",
    "S201": "external-file",
    "S202": "external-file",
    "S203": "link",
    "S301": "archive-path",
    "S302": "archive-ambiguous",
    "S303": "embedded-executable",
    "S304": "bomb",
    "S305": "archive-ambiguous",
    "S306": "archive-ambiguous",
    "S401": "bomb",
    "S402": "bomb",
    "S403": "bomb",
    "S501": "name-injection",
    "S502": "name-injection",
    "S503": "name-injection",
    "S504": "archive-path",
}


@dataclass(frozen=True)
class Case:
    """A hostile or benign checkpoint: its label, and the findings of the rules of safety in it."""

    file: str
    group: str
    flag: bool | str
    category: str
    findings: tuple[tuple[str, Severity, str, str], ...] = ()
    seconds: float = 0.0

    @property
    def alarms(self) -> frozenset[str]:
        """The categories in which something worse than an information was found."""
        return frozenset(CATEGORIES[code] for code, severity, _, _ in self.findings if severity > Severity.INFO)

    @property
    def categories(self) -> frozenset[str]:
        """The categories in which anything was found."""
        return frozenset(CATEGORIES[code] for code, _, _, _ in self.findings)


def labels(folder: Path) -> list[dict[str, Any]]:
    """The labels of all cases in the manifest of a folder."""
    cases: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text())["cases"]
    return cases


def checked(folder: Path) -> list[Case]:
    """Every case with what was found; fails where a process did not survive one."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.checks.runner", str(folder)]
    done = subprocess.run(command, capture_output=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died with {done.returncode} on {lines[-1:]}: {done.stderr[-2000:]!r}"
    results = {line["file"]: line for line in lines if "findings" in line}
    return [_case(label, results[label["file"]]) for label in labels(folder)]


def _case(label: dict[str, Any], result: dict[str, Any]) -> Case:
    findings = tuple((code, Severity(severity), where, detail) for code, severity, where, detail in result["findings"])
    return Case(label["file"], label["class"], label["flag"], label["category"], findings, result["seconds"])


def modelscan(command: str, path: Path) -> bool:
    """Whether modelscan finds an issue (exit code 1) in a file."""
    return _exit_code([command, "-p", str(path)]) == 1


def modelaudit(command: str, path: Path) -> bool:
    """Whether modelaudit finds an issue that is more than an information in a file."""
    done = _run([command, "scan", "--format", "json", str(path)])
    try:
        issues = json.loads(done.stdout).get("issues", []) if done else []
    except ValueError:
        return False
    return any(issue.get("severity") in ("warning", "critical", "error") for issue in issues)


PEERS: dict[str, Callable[[str, Path], bool]] = {"modelscan": modelscan, "modelaudit": modelaudit}


def _exit_code(command: list[str]) -> int | None:
    done = _run(command)
    return done.returncode if done else None


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes] | None:
    try:
        return subprocess.run(command, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None


def flagged_by_peer(name: str, command: str, folder: Path, cases: Iterable[Case]) -> set[str]:
    """The files that a peer flags, whatever it says of them."""
    scanned = [case.file for case in cases if case.flag is True or case.group == TWIN]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        flagged = pool.map(partial(PEERS[name], command), [folder / file for file in scanned])
    return {file for file, is_flagged in zip(scanned, flagged, strict=True) if is_flagged}


def rows(cases: list[Case], peers: dict[str, set[str]]) -> list[list[str]]:
    """A row for each category: the number of cases to be flagged, those flagged in that category and at all, and what
    each peer flags at all; last the false alarms on the benign twins."""
    wanted = [case for case in cases if case.flag is True]
    categories = sorted(Counter(case.category for case in wanted))
    table = [["category", "cases", "ckpttool", "any category", *peers]]
    for name in [*categories, "all"]:
        some = [case for case in wanted if name in (case.category, "all")]
        ours = sum(case.category in case.categories for case in some), sum(bool(case.alarms) for case in some)
        table.append(
            [name, str(len(some)), *map(str, ours), *(str(_count(some, flagged)) for flagged in peers.values())]
        )
    twins = [case for case in cases if case.group == TWIN]
    ours = str(sum(bool(case.alarms) for case in twins))
    table.append(
        ["false alarms", str(len(twins)), ours, ours, *(str(_count(twins, flagged)) for flagged in peers.values())]
    )
    return table


def _count(cases: list[Case], flagged: set[str]) -> int:
    return sum(case.file in flagged for case in cases)


def main() -> None:
    """Prints the table, and what was missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--peer", action="append", default=[], help="NAME=COMMAND, NAME one of " + ", ".join(PEERS))
    arguments = options.parse_args()
    cases = checked(arguments.folder)
    peers = dict(peer.split("=", 1) for peer in arguments.peer)
    flagged = {name: flagged_by_peer(name, command, arguments.folder, cases) for name, command in peers.items()}
    for row in rows(cases, flagged):
        print(f"{row[0]:22}" + "".join(f"{cell:>14}" for cell in row[1:]))
    for case in cases:
        if case.flag is True and case.category not in case.categories:
            print("missed:", ascii(case.file), case.category, "found:", *sorted(case.categories))
        elif case.flag is False and case.alarms:
            print("more than the label says:", ascii(case.file), *sorted(case.alarms))
    print(f"slowest: {max(case.seconds for case in cases):.2f} s")


if __name__ == "__main__":
    main()
