"""`ckpttool check` and `ckpttool rule`: options, exit codes, reports on standard output and in files."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ckpttool.checks.catalogue import RULES
from ckpttool.render.checks import CHECK_OUTPUTS, SUFFIXES
from ckpttool.render.checks.rules import RULE_OUTPUTS
from tests.samples import FIXTURES, members, zipped

GOOD = FIXTURES / "keras3/mlp.keras"
DAMAGED = FIXTURES / "broken/truncated.weights.h5"
CLOSED = FIXTURES / "broken/encrypted.keras"
MISNAMED = FIXTURES / "broken/zip_named.h5"  # a warning


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, so that no configuration is found by chance."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def report(text: str) -> dict[str, Any]:
    """A report in JSON."""
    result: dict[str, Any] = json.loads(text)
    return result


@pytest.mark.parametrize(
    ("paths", "code", "verdict"),
    [
        ([GOOD], 0, "clean"),
        ([MISNAMED], 0, "passed"),
        ([DAMAGED], 1, "findings"),
        ([CLOSED], 2, "not checked"),
        ([GOOD, CLOSED], 2, "not checked"),
        ([CLOSED, DAMAGED, GOOD], 1, "findings"),
        (["nothing.keras"], 2, "not checked"),
        (["*.keras"], 2, "not checked"),
    ],
)
@pytest.mark.parametrize("output", sorted(CHECK_OUTPUTS))
def test_exit_codes(paths: list[Any], code: int, verdict: str, output: str, run: Callable[..., Any]) -> None:
    """The verdict is the exit code, whatever the output: findings before what could not be checked."""
    outcome = run("check", *paths, "-o", output)
    assert (outcome.code, outcome.err) == (code, "")
    if output in ("text", "github"):
        assert outcome.out.splitlines()[-1].startswith(f"{verdict}: ")
    if output == "json":
        assert report(outcome.out)["verdict"] == verdict


def test_safety_fails_by_default(run: Callable[..., Any], elsewhere: Path) -> None:
    """A name that is shown backwards fails the check; `--fail-on error`, or an ignore with a reason, relaxes that."""
    parts = {**members("keras3.0/mlp.keras"), "assets/\u202etxt.words": b"one\ntwo\n"}
    path = zipped(elsewhere / "m.keras", parts)
    outcome = run("check", path)
    assert outcome.code == 1
    last = "findings: 1 checkpoint, 1 warning; exit code 1, as errors and warnings about safety fail it"
    assert outcome.out.splitlines()[-1] == last
    assert report(run("check", path, "-o", "json").out)["fail_on"] == "safety"
    annotation = run("check", path, "-o", "github").out
    assert annotation.startswith("::error file=")
    lax = run("check", path, "--fail-on", "error")
    assert (lax.code, lax.out.splitlines()[-1]) == (
        0,
        "passed: 1 checkpoint, 1 warning; exit code 0, as only errors fail it",
    )
    (elsewhere / "ckpttool.toml").write_text(
        '[[check.per-path-ignores]]\npaths = "m.keras"\ncodes = ["S501"]\nreason = "read it; is a list of words"\n'
    )
    ignored = run("check", "m.keras")
    assert (ignored.code, ignored.out.splitlines()[-1].partition(":")[0]) == (0, "passed")
    assert "because: read it" in ignored.out


def test_what_counts(run: Callable[..., Any]) -> None:
    """`--strict` and `--fail-on` move the least severity, `--select` and `--ignore` choose rules; the last one wins."""
    assert run("check", MISNAMED, "--strict").code == 1
    assert run("check", MISNAMED, "--fail-on", "warning").code == 1
    assert run("check", MISNAMED, "--strict", "--fail-on", "error").code == 0
    assert run("check", MISNAMED, "--strict", "--ignore", "I112").code == 0
    assert run("check", MISNAMED, "--strict", "--select", "S,N").code == 0
    assert run("check", MISNAMED, "--strict", "--select", "S, I1", "--select", "N").code == 1
    assert run("check", MISNAMED, "--strict", "--select", "I112", "--ignore", "I").code == 1


@pytest.mark.parametrize("option", ["--select", "--ignore"])
@pytest.mark.parametrize("code", ["Q101", "lambda-code", "s", "S101,Q"])
def test_rules_that_there_are_not(option: str, code: str, run: Callable[..., Any]) -> None:
    """An unknown rule is an error that says where all are, and never a clean check."""
    outcome = run("check", GOOD, option, code)
    assert (outcome.code, outcome.out) == (2, "")
    assert "`ckpttool rule --all`" in outcome.err


def test_configuration(run: Callable[..., Any], elsewhere: Path) -> None:
    """The nearest configuration counts, options come on top of it, and `--no-config` and `--config` pass it over."""
    config = elsewhere.parent / "pyproject.toml"
    config.write_text('[tool.ckpttool.check]\nselect = ["I"]\nignore = ["I101"]\nfail-on = "warning"\n')
    assert run("check", MISNAMED).code == 1
    assert run("check", MISNAMED, "--ignore", "I112").code == 0
    assert run("check", MISNAMED, "--fail-on", "error").code == 0
    assert run("check", MISNAMED, "--no-config").code == 0
    assert run("check", DAMAGED, "--fail-on", "error").code == 2
    assert run("check", DAMAGED, "--no-config").code == 1
    other = elsewhere / "other.toml"
    other.write_text('[check]\nignore = ["I"]\n')
    assert run("check", MISNAMED, "--config", other).code == 0
    config.write_text('[tool.ckpttool.check]\nselct = ["I"]\nfail-on = "never"\n')
    outcome = run("check", GOOD)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("error:") == 1
    assert "tool.ckpttool.check.selct: " in outcome.err
    assert "tool.ckpttool.check.fail-on: " in outcome.err
    assert run("check", GOOD, "--config", elsewhere / "none.toml").code == 2


def test_ignored_for_a_reason(run: Callable[..., Any], elsewhere: Path) -> None:
    """A finding that a configuration ignores in some paths is shown with the reason and does not count."""
    (elsewhere / "old").mkdir()
    for place in ("old/a.h5", "a.h5"):
        shutil.copy(MISNAMED, elsewhere / place)
    (elsewhere / "ckpttool.toml").write_text(
        '[[check.per-path-ignores]]\npaths = "old/*"\ncodes = ["I112"]\nreason = "renamed in spring"\n'
    )
    outcome = run("check", "old", "--strict")
    assert outcome.code == 0
    assert "because: renamed in spring" in outcome.out
    assert run("check", "a.h5", "--strict").code == 1
    old = report(run("check", elsewhere / "old", "--strict", "-o", "json").out)
    assert old["checkpoints"][0]["suppressed"][0]["reason"] == "renamed in spring"


def test_requirements(run: Callable[..., Any], elsewhere: Path) -> None:
    """`--sha256`, `--arch` and `--baseline` hold a checkpoint to what is given."""
    checksum = hashlib.sha256(GOOD.read_bytes()).hexdigest()
    assert run("check", GOOD, "--sha256", checksum).code == 0
    assert run("check", GOOD, "--sha256", checksum.upper()).code == 0
    assert "I111" in run("check", GOOD, "--sha256", "0" * 64).out
    assert run("check", GOOD, "--arch", GOOD).code == 0
    assert run("check", GOOD, "--arch", FIXTURES / "keras3/cnn.keras").code == 1
    (elsewhere / "ckpttool.toml").write_text("[check.requirements]\nlargest-change = 0.0\n")
    assert run("check", GOOD, "--baseline", GOOD).code == 0
    tuned = FIXTURES / "tuned/tuned.keras"
    assert run("check", tuned, "--baseline", FIXTURES / "tuned/base.keras", "--strict").code == 1


@pytest.mark.parametrize(
    "args",
    [
        ["--sha256", "12"],
        ["--sha256", "z" * 64],
        ["--sha256", "0" * 64, str(DAMAGED)],
        ["--jobs", "0"],
        ["--fail-on", "never"],
        ["--output", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage(args: list[str], run: Callable[..., Any]) -> None:
    """Wrong options are told on standard error alone."""
    outcome = run("check", GOOD, *args)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Error: " in outcome.err


def test_nothing_to_check(run: Callable[..., Any], elsewhere: Path) -> None:
    """Nothing to check is exit code 2, unless that is allowed by option or configuration."""
    for empty in (".", "*.keras"):
        assert run("check", empty).code == 2
        assert run("check", empty, "--allow-empty").code == 0
    assert run("check", "missing.keras", "--allow-empty").code == 2
    (elsewhere / "ckpttool.toml").write_text("[check]\nallow-empty = true\n")
    assert run("check", ".").code == 0


def test_reports_in_files(run: Callable[..., Any], elsewhere: Path) -> None:
    """Each file gets the form that its name says, else that of `--output`; standard output gets that too."""
    names = {f"report{suffix}": output for suffix, output in SUFFIXES.items()} | {
        "REPORT.MD": "markdown",
        "x": "github",
    }
    args = [part for name in names for part in ("--output-file", name)]
    outcome = run("check", DAMAGED, GOOD, "--output", "github", "--color", "always", *args)
    assert outcome.code == 1
    for name, output in names.items():
        alone = run("check", DAMAGED, GOOD, "--output", output)
        assert (elsewhere / name).read_text(encoding="utf-8") == alone.out, name
    failed = run("check", GOOD, "--output-file", "no/such/place.md")
    assert (failed.code, failed.out) == (2, "")
    assert "cannot be written" in failed.err


@pytest.mark.parametrize("name", ["given", "linked", "listed", "part", "config", "baseline", "shard", "archive"])
def test_reports_take_no_checkpoints_place(run: Callable[..., Any], elsewhere: Path, name: str) -> None:
    """A report is not written over what the command reads, nor over any checkpoint; that is said before any work."""
    shutil.copy(GOOD, elsewhere / "mlp.keras")
    (elsewhere / "other.link").hardlink_to(elsewhere / "mlp.keras")
    shutil.copytree(FIXTURES / "keras3/mlp_dir", elsewhere / "unzipped")
    shutil.copytree(FIXTURES / "keras3/sharded", elsewhere / "shards")
    (elsewhere / "rules.toml").write_text("[check]\n")
    (elsewhere / "base.json").write_text("{}")
    paths, report = {
        "given": (["mlp.keras"], "mlp.keras"),
        "linked": (["mlp.keras"], "other.link"),
        "listed": (["."], "mlp.keras"),
        "part": (["unzipped"], "unzipped/config.json"),
        "config": (["mlp.keras", "--config", "rules.toml"], "rules.toml"),
        "baseline": (["mlp.keras", "--baseline", "base.json"], "base.json"),
        "shard": (["shards/sharded.weights.json"], "shards/sharded_00001.weights.h5"),
        "archive": (["shards/sharded.weights.json"], "mlp.keras"),
    }[name]
    before = (elsewhere / report).read_bytes()
    outcome = run("check", *paths, "--output-file", report)
    assert (outcome.code, outcome.out) == (2, "")
    assert report in outcome.err
    assert "name another file" in outcome.err
    assert (elsewhere / report).read_bytes() == before


def test_jobs(run: Callable[..., Any]) -> None:
    """Several processes print what one does."""
    alone = run("check", FIXTURES / "broken", "-o", "json")
    command = [sys.executable, "-m", "ckpttool", "check", str(FIXTURES / "broken"), "-o", "json", "-j", "2"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert (process.returncode, process.stdout, process.stderr) == (alone.code, alone.out, "")


def test_color(run: Callable[..., Any]) -> None:
    """Colours are for terminals, or where they are asked for."""
    assert "\x1b" not in run("check", DAMAGED).out
    assert "\x1b[31merror" in run("check", DAMAGED, "--color", "always").out


def test_names_on_a_terminal(run: Callable[..., Any], elsewhere: Path) -> None:
    """The name of a file can act on no terminal and begin no command of GitHub."""
    name = "\x1b[2J\n::error::x.keras"
    shutil.copy(DAMAGED, elsewhere / name)
    for output in CHECK_OUTPUTS:
        text = run("check", ".", "-o", output).out
        assert all(char.isprintable() or char == "\n" for char in text), output
        assert "\n::error::x" not in text


def test_rule(run: Callable[..., Any]) -> None:
    """A rule is found by its code, in any case, by its name, and with others by the beginning of codes."""
    by_code = run("rule", "I101")
    assert by_code.code == 0
    assert by_code.out.startswith("I101 damaged (integrity, error)\n  finds  ")
    assert run("rule", "damaged") == run("rule", "i101") == by_code
    assert run("rule", "I101", "damaged") == by_code
    several = [rule.code for rule in RULES.values() if rule.code.startswith("I")]
    assert [entry["code"] for entry in json.loads(run("rule", "I", "-o", "json").out)["rules"]] == several


@pytest.mark.parametrize("output", sorted(RULE_OUTPUTS))
def test_all_rules(output: str, run: Callable[..., Any]) -> None:
    """All rules are told, by option alone."""
    text = run("rule", "--all", "-o", output).out
    assert all(code in text for code in RULES)
    for args in ([], ["I101", "--all"], ["Q"], [""], ["*"]):
        outcome = run("rule", *args, "-o", output)
        assert (outcome.code, outcome.out) == (2, "")


@pytest.mark.parametrize(
    ("policy", "options", "count"),
    [
        ('ignore = ["S"]', [], len([code for code in RULES if code.startswith("S")])),
        ('select = ["I112"]', [], len(RULES) - 1),
        ('select = ["I112"]', ["--select", "ALL"], 0),
        ('ignore = ["S"]', ["--ignore", "S"], 0),
        ('ignore = ["I112"]', ["--select", "S"], 0),
        ('select = ["ALL"]', [], 0),
        ('ignore = ["S"]', ["--isolated"], 0),
        ('ignore = ["S"]', ["--no-config"], 0),
    ],
)
@pytest.mark.parametrize("output", sorted(CHECK_OUTPUTS))
def test_rules_that_a_configuration_switches_off_are_said(
    policy: str, options: list[str], count: int, output: str, elsewhere: Path, run: Callable[..., Any]
) -> None:
    """Every report says how many rules a file leaves out which the command line did not, and which file that is."""
    (elsewhere / "ckpttool.toml").write_text(f"[check]\n{policy}\n")
    outcome = run("check", GOOD, "-o", output, *options)
    if output == "json":
        configuration = report(outcome.out)["configuration"]
        assert len(configuration["switched_off"] if configuration else []) == count
    else:
        named = f"{count} rules switched off by ckpttool.toml" in outcome.out.replace("\\", "")
        assert named == (count > 0)
    if output == "text" and count:
        assert "switched off" in outcome.out.splitlines()[-1]


def test_a_program_is_reported_whatever_the_tree_says(elsewhere: Path, run: Callable[..., Any]) -> None:
    """With --isolated the rules of the tree that is checked count nothing."""
    (elsewhere / "pyproject.toml").write_text('[tool.ckpttool.check]\nignore = ["ALL"]\nselect = ["I112"]\n')
    pickle = FIXTURES / "broken/pickle.h5"
    assert run("check", pickle, "--isolated").code == 1
