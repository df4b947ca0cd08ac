"""Every output of hostile and of sound checkpoints keeps its form."""

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.arrays.statistics import Stats
from ckpttool.checkpoint import Section
from ckpttool.inspection.directories import Summary
from ckpttool.inspection.info import describe
from ckpttool.inspection.listing import Choice, Listing, list_checkpoint
from ckpttool.render import INFO_OUTPUTS, LISTING_OUTPUTS, SUMMARY_OUTPUTS, Style
from ckpttool.render.json_values import dumps
from ckpttool.render.style import number, pretty_layer, shape, size
from tests.loops import for_each
from tests.render.contract import (
    HOSTILE,
    STYLES,
    hostile_checkpoint,
    hostile_info,
    hostile_listing,
    hostile_summaries,
    unsafe,
)
from tests.samples import FIXTURES, TRUE_FILES, of_each_kind

SOUND = [name for name in TRUE_FILES if "npz" not in name]


def sound_listing(name: str) -> Listing:
    """The listing of a fixture, measured."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        return list_checkpoint(checkpoint, Choice(stats=True, sha256=True))


def markdown_cells(text: str) -> list[list[str]]:
    """The cells of the tables in a Markdown text, split as GitHub splits them."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)(?:\\\\)*\|", row)[1:-1] for row in rows]


@pytest.mark.parametrize("style", STYLES, ids=repr)
@pytest.mark.parametrize("output", sorted(LISTING_OUTPUTS))
class TestListing:
    """Outputs of one checkpoint."""

    def test_hostile_names(self, output: str, style: Style) -> None:
        """No character of a name acts on a terminal, whatever the output."""
        assert unsafe(LISTING_OUTPUTS[output](hostile_listing(), style)) == set()

    def test_size_is_bounded(self, output: str, style: Style) -> None:
        """A long name does not make an output that is long many times over."""
        assert len(LISTING_OUTPUTS[output](hostile_listing(), style)) < 2_000_000

    @pytest.mark.parametrize("name", ["keras3/odd.keras", "keras1.2/mlp.h5", "broken/plain.h5", "keras3/cnn.keras"])
    def test_no_edges(self, output: str, style: Style, name: str) -> None:
        """An output neither begins nor ends with a blank line, and no line ends with blanks in text."""
        text = LISTING_OUTPUTS[output](sound_listing(name), style)
        assert text == text.strip("\n")
        assert text


@pytest.mark.parametrize("output", sorted(SUMMARY_OUTPUTS))
def test_hostile_summaries(output: str) -> None:
    """Several hostile checkpoints and errors act on no terminal either."""
    assert unsafe(SUMMARY_OUTPUTS[output](hostile_summaries(), Style())) == set()


@pytest.mark.parametrize("output", sorted(INFO_OUTPUTS))
def test_hostile_info(output: str) -> None:
    """A hostile description acts on no terminal; every fact keeps to its line."""
    text = INFO_OUTPUTS[output](hostile_info(), Style())
    assert unsafe(text) == set()
    if output == "text":
        assert len({len(line) - len(line.lstrip()) for line in text.splitlines()}) == 1


@pytest.mark.parametrize("style", STYLES, ids=repr)
def test_json_is_ascii_and_whole(style: Style) -> None:
    """JSON is ASCII and gives every name back as it was."""
    text = LISTING_OUTPUTS["json"](hostile_listing(), style)
    assert text.isascii()
    result = json.loads(text)
    assert result["schema"] == "ckpttool.listing/1"
    if not style.layers:
        assert {row["path"] for row in result["weights"]} == set(hostile_checkpoint().weights)
    assert [refusal["detail"] for refusal in result["refusals"]] == HOSTILE


@for_each(of_each_kind(SOUND))
def test_json_of_every_fixture(name: str) -> None:
    """JSON of each fixture is valid, holds what the checkpoint holds, and has no NaN in it."""
    listing = sound_listing(name)
    result = json.loads(LISTING_OUTPUTS["json"](listing, Style()), parse_constant=pytest.fail)
    assert [row["path"] for row in result["weights"]] == [row.weight.path for row in listing.rows]
    assert [row["sha256"] for row in result["weights"]] == [row.sha256 for row in listing.rows]
    assert all(math.prod(row["shape"]) == row["params"] for row in result["weights"])
    assert result["totals"].keys() == {section.value for section in listing.totals}
    with ckpttool.open(FIXTURES / name) as checkpoint:
        info = json.loads(INFO_OUTPUTS["json"](describe(checkpoint), Style()), parse_constant=pytest.fail)
    assert info["totals"] == result["totals"]


def test_json_has_no_nan() -> None:
    """A number that JSON does not have is refused by the writer, not written."""
    with pytest.raises(ValueError, match="JSON"):
        dumps({"a": math.nan})


def test_json_of_unfinite_statistics() -> None:
    """Statistics that overflow are null."""
    from dataclasses import replace

    listing = sound_listing("keras3/mlp.keras")
    row = listing.rows[0]._replace(stats=Stats(2, 2, 0, 0, 0, 1e308, 1e308, math.inf, math.inf))
    result = json.loads(LISTING_OUTPUTS["json"](replace(listing, rows=(row,)), Style()))
    assert result["weights"][0]["stats"]["mean"] is None
    assert result["weights"][0]["stats"]["min"] == 1e308


@pytest.mark.parametrize("style", [Style(), Style(layers=True)], ids=repr)
def test_csv_parses_back(style: Style) -> None:
    """CSV has one record a row, all of one width, whatever is in the names; no cell is a formula."""
    listing = hostile_listing()
    records = list(csv.reader(io.StringIO(LISTING_OUTPUTS["csv"](listing, style))))
    assert len(records) == 1 + (len(listing.by_layer()) if style.layers else len(listing.rows))
    assert len({len(record) for record in records}) == 1
    assert not [cell for record in records for cell in record if cell[:1] in ("=", "+", "-", "@")]
    assert any(cell.startswith("'=cmd") for record in records for cell in record)


@for_each(of_each_kind(SOUND))
def test_csv_of_every_fixture(name: str) -> None:
    """CSV of each fixture has the numbers bare, and negative ones are no text."""
    listing = sound_listing(name)
    records = list(csv.DictReader(io.StringIO(LISTING_OUTPUTS["csv"](listing, Style()))))
    assert [int(record["params"]) for record in records] == [row.weight.size for row in listing.rows]
    for record, row in zip(records, listing.rows, strict=True):
        assert record["sha256"] == row.sha256
        assert row.stats is not None
        if row.stats.mean is not None:
            assert float(record["mean"]) == row.stats.mean


@pytest.mark.parametrize("style", [Style(), Style(layers=True), Style(layers=True, depth=1)], ids=repr)
def test_markdown_tables_keep_their_columns(style: Style) -> None:
    """No name breaks a Markdown table, one with `|` or with a backslash at its end included."""
    cells = markdown_cells(LISTING_OUTPUTS["markdown"](hostile_listing(), style))
    assert len(cells) > len(HOSTILE)
    assert len({len(row) for row in cells}) == 1


def test_markdown_shows_names_as_they_are() -> None:
    """Letters that Markdown would act on are escaped."""
    text = LISTING_OUTPUTS["markdown"](hostile_listing(), Style())
    assert "<script>" not in text.replace("\\<", "")
    assert "\\*bold\\*" in text
    assert "dense\\_1" in LISTING_OUTPUTS["markdown"](sound_listing("keras2.2/recurrent.h5"), Style())


def test_markdown_summaries_keep_their_columns() -> None:
    """Nor do paths and errors break the table of several checkpoints."""
    cells = markdown_cells(SUMMARY_OUTPUTS["markdown"](hostile_summaries(), Style()))
    assert len({len(row) for row in cells}) == 1
    assert len(cells) == 2 + len(hostile_summaries())


def test_tree_shows_every_weight() -> None:
    """No name hides a weight from the tree."""
    listing = hostile_listing(sections=frozenset({Section.MODEL}))
    text = LISTING_OUTPUTS["text"](listing, Style(tree=True))
    assert all(f"(2, {number}) " in text for number in range(len(HOSTILE)))


def test_color() -> None:
    """Colour is there where it was asked for and nowhere else."""
    with ckpttool.open(FIXTURES / "keras3/mlp.keras") as checkpoint:
        listing, info = list_checkpoint(checkpoint), describe(checkpoint)
    for plain, colored in (
        (LISTING_OUTPUTS["text"](listing, Style()), LISTING_OUTPUTS["text"](listing, Style(color=True))),
        (INFO_OUTPUTS["text"](info, Style()), INFO_OUTPUTS["text"](info, Style(color=True))),
    ):
        assert "\x1b[" in colored
        assert re.sub(r"\x1b\[\d+m", "", colored) == plain
    for output in ("json", "csv", "markdown"):
        assert LISTING_OUTPUTS[output](listing, Style(color=True)) == LISTING_OUTPUTS[output](listing, Style())


@pytest.mark.parametrize("output", sorted(SUMMARY_OUTPUTS))
def test_nothing(output: str) -> None:
    """No checkpoint at all and one without weights have an output."""
    assert isinstance(SUMMARY_OUTPUTS[output]([], Style()), str)
    empty = ckpttool.Checkpoint(Path("m"), "weights-h5", 0, {})
    for style in STYLES:
        assert "m" in LISTING_OUTPUTS[output](list_checkpoint(empty), style) or output == "csv"
    assert SUMMARY_OUTPUTS[output]([Summary(Path("m"), None, "is cut")], Style())


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (10_230, "9.99 KiB"), (10_240, "10.0 KiB"),
        (102_400, "100 KiB"), (1_048_575, "1.00 MiB"), (1_332_000, "1.27 MiB"), (5 << 30, "5.00 GiB"),
        (3 << 40, "3.00 TiB"), (7 << 50, "7.00 PiB"), (9999 << 50, "9999 PiB"),
    ],
)  # fmt: skip
def test_size(nbytes: int, text: str) -> None:
    """Sizes have three digits and a unit."""
    assert size(nbytes) == text


def test_shapes_and_numbers() -> None:
    """Shapes, numbers and inferred names are written in one way."""
    dims: list[tuple[Any, str]] = [((), "()"), ((3,), "(3,)"), ((None, 2), "(None, 2)")]
    assert [shape(sizes) for sizes, _ in dims] == [text for _, text in dims]
    assert [number(value) for value in (None, 0.0, 1 / 3, -1e-9, 12345.678)] == [
        "-",
        "0",
        "0.3333",
        "-1e-09",
        "1.235e+04",
    ]
    assert [pretty_layer("a", True), pretty_layer("a", False), pretty_layer("", False), pretty_layer("", True)] == [
        "~a",
        "a",
        "(model)",
        "(model)",
    ]
