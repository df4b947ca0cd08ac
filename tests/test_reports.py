"""The report of a checkpoint has all that applies to it, and nothing stops it but a file that cannot be opened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import formats
from ckpttool.formats.archive import Archive
from tests.render.test_html import Page
from tests.samples import FIXTURES


def titles(text: str) -> list[str]:
    """The titles of the sections of a page."""
    return Page(text).of("h2")


@pytest.mark.parametrize(("name", "sections"), [
    ("keras3/cnn.keras", ["Facts", "Check", "Loading", "Graph", "Layers"]),
    ("keras3/mlp.weights.h5", ["Facts", "Check", "Layers"]),
    ("keras2.2/nested.h5", ["Facts", "Check", "Loading", "Conversion to Keras 3", "Graph", "Layers"]),
    ("tensorflow/2.15/mlp.ckpt", ["Facts", "Check", "Layers"]),
])  # fmt: skip
def test_sections(name: str, sections: list[str], run: Callable[..., Any]) -> None:
    """A page has the sections that apply to the checkpoint."""
    done = run("report", str(FIXTURES / name), "--isolated")
    assert (done.code, done.err) == (0, "")
    assert titles(done.out) == sections


def test_baseline(run: Callable[..., Any], tmp_path: Path) -> None:
    """With a baseline the page says what changed since then; `-o` writes it to a file."""
    base, tuned = (str(FIXTURES / name) for name in ("tuned/base.keras", "tuned/tuned.keras"))
    done = run("report", tuned, "--baseline", base, "-o", str(tmp_path / "r.html"))
    assert (done.code, done.out) == (0, "")
    text = (tmp_path / "r.html").read_text()
    assert "What changed" in titles(text)
    assert text.count('class="of-a"') == 2
    assert text.endswith("</html>\n")


def test_value() -> None:
    """From Python, a report is a value with the results of all commands."""
    report = ckpttool.report(FIXTURES / "keras2.2/nested.h5")
    assert isinstance(report, ckpttool.Report)
    assert report.conversion is not None
    assert report.conversion.refusals == ()
    assert report.verdict is not None
    assert report.verdict.ok
    assert report.diff is None
    assert all(row.picture for row in report.listing.rows)
    assert repr(report) == "<Report 'nested.h5': 72 parameters, passed>"
    assert not list((FIXTURES / "keras2.2").glob("*.keras"))


@pytest.mark.parametrize("name", ["keras2.15/nested.h5", "keras2.15/nested.keras", "keras3/nested.keras"])
def test_a_file_is_opened_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts of a report are of one reading of the file, the plan of a conversion included."""
    opened, plain = list[str](), formats._open_file

    def noted(path: Path) -> Any:
        opened.append(str(path))
        return plain(path)

    monkeypatch.setattr(formats, "_open_file", noted)
    report = ckpttool.report(FIXTURES / name)
    assert (report.conversion is None) == name.startswith("keras3")
    assert opened == [str(FIXTURES / name)]


def test_large_weights_are_compared_with_their_checksum_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing and the check of a report share one pass over the member that is not compared on opening."""
    compared, plain = list[str](), Archive.check

    def noted(archive: Archive, member: Any) -> None:
        compared.append(member.name)
        plain(archive, member)

    monkeypatch.setattr("ckpttool.formats.keras_zip.CHECKED_AT_ONCE", 0)
    monkeypatch.setattr(Archive, "check", noted)
    ckpttool.report(FIXTURES / "keras3/mlp.keras")
    assert compared == ["model.weights.h5"]


def test_what_is_not_known_is_said(run: Callable[..., Any]) -> None:
    """A checkpoint that a conversion has no plan for is reported with a note."""
    refused = [path for path in sorted((FIXTURES / "broken").glob("*.keras")) if run("ls", str(path)).code == 0]
    assert refused
    for path in refused:
        done = run("report", str(path), "--isolated")
        assert done.code == 0
        assert "Facts" in titles(done.out)


def test_failures(run: Callable[..., Any], tmp_path: Path) -> None:
    """A file that is no checkpoint is an error, and a checkpoint is never written over."""
    assert run("report", str(FIXTURES / "broken/text.h5")).code == 2
    copy = tmp_path / "m.keras"
    copy.write_bytes((FIXTURES / "keras3/mlp.keras").read_bytes())
    done = run("report", str(copy), "-o", str(copy))
    assert done.code == 2
    assert copy.read_bytes() == (FIXTURES / "keras3/mlp.keras").read_bytes()
