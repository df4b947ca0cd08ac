"""The engine of checks: what counts, what is ignored, and that what was not looked at is never clean."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest

import ckpttool
from ckpttool.checks import runner
from ckpttool.checks.catalogue import FAMILIES, RULES, Family, unknown_codes
from ckpttool.checks.paths import checkpoints_at
from ckpttool.checks.policy import ALL, PathIgnore, Policy
from ckpttool.checks.result import CheckReport, FileReport, Suppressed
from ckpttool.checks.rule import Finding, Outcome, Rule, Severity
from ckpttool.checks.runner import check, check_file
from tests.loops import for_each
from tests.samples import FIXTURES

GOOD = FIXTURES / "keras3/mlp.keras"
BROKEN = FIXTURES / "broken/truncated.weights.h5"
CODES = sorted(RULES)


def test_the_python_name() -> None:
    """`ckpttool.check` is the same function, with a policy of the same package."""
    assert ckpttool.check is check
    assert ckpttool.check(GOOD, ckpttool.Policy(select=("I",))).verdict == "clean"


def test_a_whole_checkpoint_is_clean() -> None:
    """Nothing is found in what Keras has written."""
    assert check(GOOD).verdict == "clean"


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    """A file that is cut off is an error of integrity."""
    path = tmp_path / "cut.weights.h5"
    path.write_bytes((FIXTURES / "keras3/mlp.weights.h5").read_bytes()[:2000])
    report = check(path)
    assert report.verdict == "findings"
    assert [finding.rule.code for finding in report.failures] == ["I101"]


def test_codes_are_in_order() -> None:
    """Codes are unique, sorted within their family, and begin with a letter that the family has for itself."""
    for family in FAMILIES:
        codes = [rule.code for rule in family.rules]
        assert codes == sorted(set(codes))
        assert len({code[0] for code in codes}) == 1
        assert {rule.family for rule in family.rules} == {family.name}
    assert len(RULES) == sum(len(family.rules) for family in FAMILIES)
    assert len({family.rules[0].code[0] for family in FAMILIES}) == len(FAMILIES)
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


@for_each(CODES)
def test_selection(code: str) -> None:
    """The longest entry for a rule decides, and `ignore` between two alike."""
    family = code[0]
    for selected, ignored, counts in (
        ((ALL,), (), True),
        ((family,), (), True),
        ((code,), (), True),
        ((), (), False),
        ((ALL,), (family,), False),
        ((ALL,), (ALL,), False),
        ((code,), (code,), False),
        ((code,), (family,), True),
        ((family,), (code,), False),
        ((ALL, code), (family,), True),
        (("Z",), (), False),
    ):
        assert Policy(select=selected, ignore=ignored).counts(code) is counts, (selected, ignored)


def test_unknown_codes() -> None:
    """Codes, beginnings of codes and ALL are known; everything else is told."""
    known = {code[:length] for code in CODES for length in range(1, 5)} | {ALL}
    assert unknown_codes(sorted(known)) == ()
    wrong = ("", "all", "s101", "S1011", "Z", "S9", "lambda-code", "S101 ", "*")
    assert unknown_codes(wrong) == wrong


@pytest.mark.parametrize(
    "policy",
    [
        Policy(select=("Z999",)),
        Policy(ignore=("nothing",)),
        Policy(per_path_ignores=(PathIgnore("*", ("X",), "why"),)),
        Policy(select=()),
        Policy(ignore=(ALL,)),
    ],
    ids=repr,
)
def test_a_policy_that_would_check_nothing(policy: Policy) -> None:
    """A rule that there is not, or no rule at all, is an error and never clean."""
    with pytest.raises(ckpttool.CheckpointError, match="polic"):
        check(GOOD, policy)


def test_ignored_in_some_paths() -> None:
    """A finding that is ignored for a reason does not count and is told with it, in these paths alone."""
    wrong = FIXTURES / "broken/zip_named.h5"
    strict = Policy(fail_on=Severity.WARNING)
    assert check(wrong, strict).verdict == "findings"
    for glob in ("zip_*.h5", "*/broken/*", str(wrong), f"{glob_root()}/*"):
        ignore = PathIgnore(glob, ("I112",), "named so on purpose")
        report = check(wrong, replace(strict, per_path_ignores=(ignore,)))
        assert (report.verdict, report.files[0].suppressed[0].reason) == ("passed", "named so on purpose"), glob
    for ignore in (PathIgnore("other*", ("I112",), "why"), PathIgnore("*", ("I111",), "why")):
        assert check(wrong, replace(strict, per_path_ignores=(ignore,))).verdict == "findings"


def glob_root() -> str:
    """The folder of fixtures as globs of paths name it."""
    return FIXTURES.as_posix()


@pytest.mark.parametrize(
    "policy",
    [
        Policy(select=("N",)),
        Policy(ignore=("I", "S")),
        Policy(per_path_ignores=(PathIgnore("*", (ALL,), "why"),)),
        Policy(select=("N",), fail_on=Severity.INFO),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["truncated.weights.h5", "bad_crc.keras", "empty.h5", "page.h5", "encrypted.keras"])
def test_unopened_is_never_clean(policy: Policy, name: str) -> None:
    """A file that could not be opened is not checked, whatever is ignored."""
    report = check(FIXTURES / "broken" / name, policy)
    assert report.verdict == "not checked"
    assert report.files[0].unchecked


@pytest.mark.parametrize("code", ["I101", "I102", "I103"])
def test_unread_is_never_clean(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that could not be read was not checked, also where the rule that tells of it does not count."""

    def reading(subject: Any) -> Iterator[Outcome]:
        yield Finding(RULES[code], "dense/kernel", "cannot be read")

    families = tuple(replace(family, checks=(reading,)) if family.name == "numbers" else family for family in FAMILIES)
    monkeypatch.setattr(runner, "FAMILIES", families)
    report = check(GOOD, Policy(select=("N",)))
    assert (report.verdict, report.files[0].unchecked) == ("not checked", ("dense/kernel: cannot be read",))
    assert check(GOOD, Policy(select=("N", code))).verdict == "findings"


def test_what_is_not_there(tmp_path: Path) -> None:
    """A path that is not there is told as itself, and is never clean, not even where there may be nothing."""
    for policy in (Policy(), Policy(allow_empty=True)):
        report = check(tmp_path / "none.keras", policy)
        assert report.verdict == "not checked"
        assert "no such file" in report.files[0].unchecked[0]


@pytest.mark.parametrize("name", ["", "*.keras", "**/*.keras"])
def test_nothing_to_check(name: str, tmp_path: Path) -> None:
    """A directory or a glob without checkpoints is not checked, and clean only where that is allowed."""
    (tmp_path / "notes.txt").write_text("no checkpoint")
    path = tmp_path / name
    report = check(path)
    assert (report.verdict, report.files[0].unchecked) == ("not checked", ("there is no checkpoint",))
    assert check([GOOD, path]).verdict == "not checked"
    empty = check(path, Policy(allow_empty=True))
    assert (empty.verdict, empty.files) == ("clean", ())
    assert check([], Policy()).verdict == "not checked"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.h5", "a.h5 one/b.h5 one/two/c.h5"),
        ("**/**/*.h5", "a.h5 one/b.h5 one/two/c.h5"),
        ("one/**/*.h5", "one/b.h5 one/two/c.h5"),
        ("one/**", "one/b.h5 one/two/c.h5"),
        ("**/two/**/*.h5", "one/two/c.h5"),
        ("o*/**/c.*", "one/two/c.h5"),
        ("**/*/c.h5", "one/two/c.h5"),
        ("one/loop*/b.h5", "one/loop0/b.h5 one/loop1/b.h5 one/loop2/b.h5"),
        ("**/", "a.h5 one/b.h5 one/two/c.h5"),
        ("none/**/*.h5", ""),
    ],
)
def test_globs_over_links_that_lead_back(
    pattern: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`**` is each directory below once, not the links there, three of which to the same directory would be 3**40
    paths; what is named without it may be a link."""
    (tmp_path / "one" / "two").mkdir(parents=True)
    (tmp_path / "one" / ".hidden").mkdir()
    for name in ("a.h5", "one/b.h5", "one/two/c.h5", "one/.hidden/d.h5"):
        shutil.copy(FIXTURES / "keras3/mlp.weights.h5", tmp_path / name)
    for number in range(3):
        (tmp_path / "one" / f"loop{number}").symlink_to(tmp_path / "one", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    for start in ("", f"{tmp_path}/"):
        places = [place.removeprefix(start) for place in checkpoints_at(start + pattern)]
        wanted = expected.split()
        assert [
            place for place in places if place.endswith(".h5") and (pattern != "one/**" or "loop" not in place)
        ] == wanted
    assert checkpoints_at(f"{tmp_path}/one/\0**/*.h5") == ()


def test_directories_and_globs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory gives the checkpoints that `ls` lists, a glob what it matches, each once and sorted; a file whose
    name has the signs of a glob is itself."""
    (tmp_path / "deep/er").mkdir(parents=True)
    for name in ("b.keras", "a.keras", "deep/c.keras", "deep/er/d.keras", "[e].keras"):
        (tmp_path / name).write_bytes(GOOD.read_bytes())
    (tmp_path / "notes.txt").write_text("no checkpoint")
    monkeypatch.chdir(tmp_path)
    for paths, expected in (
        (".", ["[e].keras", "a.keras", "b.keras"]),
        (["."] * 2, ["[e].keras", "a.keras", "b.keras"]),
        ("deep", ["deep/c.keras"]),
        ("?.keras", ["a.keras", "b.keras"]),
        ("**/*.keras", ["[e].keras", "a.keras", "b.keras", "deep/c.keras", "deep/er/d.keras"]),
        ("d*", ["deep/c.keras"]),
        ("[e].keras", ["[e].keras"]),
        (["b.keras", "a.keras", "b.keras"], ["b.keras", "a.keras"]),
    ):
        report = check(paths)
        assert [Path(file.path).as_posix() for file in report.files] == expected
        assert report.verdict == "clean"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read it, Windows has other rights")
def test_a_directory_that_may_not_be_read(tmp_path: Path) -> None:
    """The checkpoints in a directory that may not be read are reported as not checked."""
    tmp_path.chmod(0o000)
    try:
        assert check(tmp_path).verdict == "not checked"
    finally:
        tmp_path.chmod(0o700)


def test_odd_paths() -> None:
    """Paths that no system has are told, not raised."""
    for path in ("a\0b", "a\0*", "\udcff*", "x" * 5000, ""):
        assert check(path).verdict == "not checked", path


ENDLESS = Rule("I199", "endless", "integrity", Severity.ERROR, "finds", "why", "remedy")


def test_findings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint in which there is no end of findings is reported with some, and as not checked completely."""

    def endless(subject: Any) -> Iterator[Outcome]:
        number = 0
        while True:
            number += 1
            yield Finding(ENDLESS, str(number), "again")

    monkeypatch.setattr(runner, "FAMILIES", (Family("integrity", "", (ENDLESS,), (endless,)),))
    report = check_file(str(GOOD))
    assert len(report.findings) == runner.MAX_OUTCOMES
    assert "more than 10,000" in report.unchecked[0]


def test_only_what_counts_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check none of whose rules counts is not run."""

    def never(subject: Any) -> Iterator[Outcome]:
        raise AssertionError
        yield

    families = tuple(replace(family, checks=(never,)) if family.name != "integrity" else family for family in FAMILIES)
    monkeypatch.setattr(runner, "FAMILIES", families)
    assert check(GOOD, Policy(select=("I",))).verdict == "clean"
    with pytest.raises(AssertionError):
        check(GOOD, Policy(select=("I", "S")))


@pytest.mark.parametrize("fail_on", list(Severity))
@pytest.mark.parametrize("severity", list(Severity))
def test_verdicts(severity: Severity, fail_on: Severity) -> None:
    """A finding counts from the least severity on; findings weigh more than what was not checked."""
    rule = Rule("X101", "x", "x", severity, "", "", "")
    report = FileReport("a", "", 0, (Finding(rule, "", ""),))
    counts = severity >= fail_on
    unchecked = replace(report, unchecked=("why",))
    clean = FileReport("b", "", 0)
    assert CheckReport((report, clean), fail_on).verdict == ("findings" if counts else "passed")
    assert CheckReport((report, unchecked), fail_on).verdict == ("findings" if counts else "not checked")
    assert CheckReport((clean, unchecked), fail_on).verdict == ("findings" if counts else "not checked")
    assert bool(CheckReport((report,), fail_on).failures) is counts


@for_each(RULES.values())
def test_what_fails_by_default(rule: Rule) -> None:
    """Errors fail a check, and of the warnings those about safety; `--fail-on error` lets these pass."""
    fails = rule.severity is Severity.ERROR or (rule.code[0] == "S" and rule.severity is Severity.WARNING)
    report = FileReport("a", "", 0, (Finding(rule, "", ""),))
    assert CheckReport((report,)).verdict == ("findings" if fails else "passed")
    lax = CheckReport((report,), Severity.ERROR)
    assert lax.verdict == ("findings" if rule.severity is Severity.ERROR else "passed")


def test_clean_is_said_of_nothing_alone() -> None:
    """With any finding, even one that is ignored for a reason, the verdict is not clean."""
    finding = Finding(RULES["S104"], "", "")
    for report in (FileReport("a", "", 0, (finding,)), FileReport("a", "", 0, (), (Suppressed(finding, "why"),))):
        assert CheckReport((report, FileReport("b", "", 0))).verdict == "passed"
    assert CheckReport((FileReport("b", "", 0),)).verdict == "clean"


def test_a_checkpoint_without_weights_is_one(tmp_path: Path) -> None:
    """A file in which no weight is left has a kind and a size, and what was refused in it is told."""
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.SoftLink("/nowhere")
    report = check(path).files[0]
    assert (report.kind, report.size) == ("hdf5", path.stat().st_size)
    assert "S203" in {finding.rule.code for finding in report.findings}
