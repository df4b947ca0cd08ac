"""Checkpoints for the tests of checks: fixtures with something changed, and what is found in them."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.checks.result import FileReport
from ckpttool.checks.rule import Finding, Severity
from ckpttool.checks.runner import check_file
from tests.samples import FIXTURES, members

Array = np.ndarray[Any, Any]
Edit = Callable[[Array], Array]

# The same model three times: its slots are told by a config, by stored names, by paths alone.
SOURCES = {
    "slots": ("keras3/cnn.h5", "model_weights/{0}/{0}/{1}"),
    "names": ("keras2.15/cnn_weights.h5", "{0}/{0}/{1}:0"),
    "paths": ("keras3/cnn.keras", "layers/{2}/vars/{3}"),
}
PLACES = {
    "stem/kernel": ("conv2d", 0),
    "conv2d/kernel": ("conv2d_1", 0),
    "conv2d/bias": ("conv2d_1", 1),
    "norm/gamma": ("batch_normalization", 0),
    "norm/beta": ("batch_normalization", 1),
    "norm/moving_mean": ("batch_normalization", 2),
    "norm/moving_variance": ("batch_normalization", 3),
    "score/kernel": ("dense", 0),
    "score/bias": ("dense", 1),
}


def stored_at(source: str, weight: str) -> str:
    """The path of a weight in a file of `SOURCES`."""
    return SOURCES[source][1].format(*weight.split("/"), *PLACES[weight])


def copied(directory: Path, source: str) -> Path:
    """A copy of a file of `SOURCES` as HDF5."""
    name = SOURCES[source][0]
    if name.endswith(".keras"):
        path = directory / "cnn.weights.h5"
        path.write_bytes(members(name)["model.weights.h5"])
        return path
    return Path(shutil.copy(FIXTURES / name, directory))


def edited(path: Path, edits: Mapping[str, Edit]) -> Path:
    """The same file with the values at some paths replaced."""
    with h5py.File(path, "r+") as file:
        for place, edit in edits.items():
            file[place][...] = edit(file[place][()])
    return path


def findings(path: Path, family: str, policy: Policy = EVERYTHING) -> list[tuple[str, str]]:
    """Code and place of each finding of a family, which alone is selected."""
    report = check_file(str(path), replace(policy, select=(family,)))
    return [(finding.rule.code, finding.where) for finding in report.findings]


def codes(path: Path, family: str, policy: Policy = EVERYTHING) -> set[str]:
    """The codes of all that a family finds."""
    return {code for code, _ in findings(path, family, policy)}


@cache
def report_on(path: str, *families: str) -> FileReport:
    """The report of all rules, or those of some families, on a file that no test changes."""
    return check_file(path, Policy(select=families) if families else Policy())


def alarms(report: FileReport, families: str) -> set[str]:
    """The codes of the findings of some families that are warnings or errors."""

    def counts(finding: Finding) -> bool:
        return finding.rule.severity >= Severity.WARNING and finding.rule.code[0] in families

    return {finding.rule.code for finding in report.findings if counts(finding)}
