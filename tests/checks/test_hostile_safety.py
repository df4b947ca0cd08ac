"""The rules of safety against all hostile checkpoints and their benign twins."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from ckpttool.checks import safety
from tests.checks.score import CATEGORIES, Case, checked, rows
from tests.corpus import needs_adversarial
from tests.floods import ENDLESS

pytestmark = [needs_adversarial, pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX systems")]

# Cases whose label names another category than ours, and why.
INSTEAD = {
    "cf_names_duplicate.weights.h5": ("archive-ambiguous", "the names are harmless; two readers see different weights"),
}

# Alarms about cases that their label does not want flagged, and why they are right.
RIGHTLY = {
    "cf_h5_and_npz.keras": ("archive-ambiguous", "weights twice: which are loaded depends on the reader"),
    "cf_both_layouts.h5": ("archive-ambiguous", "weights in two layouts: which are loaded depends on the reader"),
    "rb_json_regex_bait.keras": ("name-injection", "a layer name of 30,001 characters, as in rb_name_64k"),
    "cf_legacy_names_missing.h5": (
        "archive-path archive-ambiguous",
        "a layer called ../optimizer; weights listed twice",
    ),
    "cf_names_empty.weights.h5": ("name-injection", "a name that no writer of HDF5 gives"),
    "co_config_surrogate.keras": ("name-injection", "half a surrogate pair in a name, which cannot be printed"),
    "co_heap_free_cycle.weights.h5": ("name-injection", "the damage turns a name into a control character"),
    "co_chunk_dim_huge.weights.h5": ("bomb", "chunks of 2^66 bytes, by damage or by intent"),
    "co_dtype_size_huge.weights.h5": ("bomb", "values of 2 GiB each, by damage or by intent"),
    "co_gheap_length.weights.h5": ("bomb", "a text of 2 GiB, by damage or by intent"),
    "co_heap_size_huge.weights.h5": ("bomb", "a heap of 1 TiB, by damage or by intent"),
    "co_ohdr_size_huge.weights.h5": ("bomb", "the header of an object of 2 GiB, by damage or by intent"),
    "co_zip_count_wrong.keras": ("bomb", "a directory of 4 GiB, by damage or by intent"),
}


@pytest.fixture(scope="module")
def cases(hostile: Path) -> list[Case]:
    """Every case with what was found in it; the process has limits, and dies of a crash or a hang."""
    cases = checked(hostile)
    assert not Path(hostile.parent / "MARKER").exists()
    return cases


def test_every_danger_is_flagged_in_its_category(cases: list[Case]) -> None:
    """Every case whose label says so is flagged, for the reason of the label."""
    wanted = [case for case in cases if case.flag is True]
    missed = [
        (case.file, case.category, case.findings)
        for case in wanted
        if INSTEAD.get(case.file, (case.category, ""))[0] not in case.alarms
    ]
    assert missed == []
    assert len(wanted) >= 155


def test_custom_code_is_an_information(cases: list[Case]) -> None:
    """A class that needs code of its own is told, and no alarm."""
    (case,) = [case for case in cases if case.flag == "info"]
    assert (case.categories, case.alarms) == ({"custom-object"}, frozenset())


def test_no_benign_twin_alarms(cases: list[Case]) -> None:
    """A benign file that looks odd has no finding of safety above an information."""
    twins = [case for case in cases if case.group == "benign-twin"]
    assert [(case.file, case.findings) for case in twins if case.alarms] == []
    assert len(twins) == 40


def test_what_else_alarms_does_so_for_a_reason(cases: list[Case]) -> None:
    """No other case alarms, but for those with a reason, and each of those does."""
    others = {case.file: case.alarms for case in cases if case.flag is False and case.alarms}
    assert others == {file: set(categories.split()) for file, (categories, _) in RIGHTLY.items()}


def test_every_case_ends(cases: list[Case]) -> None:
    """No case takes what only one without an end does, many times what the slowest needs."""
    assert [(case.file, case.seconds) for case in cases if case.seconds > ENDLESS] == []


def test_every_rule_has_a_category() -> None:
    """No rule is left out of the score."""
    assert [rule.code for rule in safety.RULES] == sorted(CATEGORIES)


def test_the_score_is_that_of_the_cases(cases: list[Case]) -> None:
    """The table counts what was wanted, what we flag, and what a peer flags."""
    silent, loud = set[str](), {case.file for case in cases}
    table = {row[0]: row[1:] for row in rows(cases, {"silent": silent, "loud": loud})}
    wanted = Counter(case.category for case in cases if case.flag is True)
    assert table["all"][0] == str(wanted.total())
    assert table["bomb"] == [*[str(wanted["bomb"])] * 3, "0", str(wanted["bomb"])]
    assert table["false alarms"] == ["40", "0", "0", "0", "40"]
