"""Pages of HTML: one file each, whose script is ours alone, and in which texts of files stay texts."""

import base64
import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.arrays.comparison import Comparison
from ckpttool.arrays.histograms import Histogram
from ckpttool.checkpoint import Producer, Section
from ckpttool.comparison import (
    AssetChange,
    ConfigChange,
    Diff,
    Evidence,
    Move,
    Pair,
    Restated,
    Scope,
    Side,
    State,
    Unit,
)
from ckpttool.conversion import EDITS, Conversion, Remark, Transform
from ckpttool.conversion.journal import Applied, Need
from ckpttool.inspection.listing import Choice
from ckpttool.model.spec import Opaque, SpecSlot
from ckpttool.render import (
    DIFF_OUTPUTS,
    INFO_OUTPUTS,
    LISTING_OUTPUTS,
    SUMMARY_OUTPUTS,
    VERIFY_OUTPUTS,
    Style,
    html,
)
from ckpttool.render.checks import CHECK_OUTPUTS
from ckpttool.render.conversions import CONVERSION_OUTPUTS
from ckpttool.render.graph import GRAPH_OUTPUTS
from ckpttool.render.html import pages
from ckpttool.reports import Report
from ckpttool.verification import Status, VerifyResult, WeightProblem
from tests.render import test_checks, test_graph
from tests.render.contract import (
    HOSTILE,
    STYLES,
    hostile_checkpoint,
    hostile_info,
    hostile_listing,
    hostile_summaries,
    unsafe,
)
from tests.samples import FIXTURES

EMPTY = {"meta", "link", "input", "br", "hr", "img"}
FOREIGN = {"path", "rect", "use", "polygon"}  # of SVG, which close themselves
TAGS = EMPTY | FOREIGN | set(
    "html head title style body a header div h1 h2 h3 p nav button main section ul li b span svg label select option "
    "details summary dl dt dd table thead tbody tr th td footer script i g text code".split()
)  # fmt: skip
ATTRIBUTES = set(
    "lang charset http-equiv content name rel href class id type hidden aria-labelledby aria-label aria-hidden "
    "aria-pressed role tabindex viewbox preserveaspectratio width height x d for placeholder autocomplete value open "
    "scope data-params data-zeros data-flops data-change data-layer data-source data-target data-path data-zoom xmlns "
    "transform y rx points text-anchor".split()
)


class Page(HTMLParser):
    """A parsed page: every tag is of those that templates use, closed in order; texts by the tag that they are in."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an opening tag."""
        assert tag in TAGS
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in EMPTY | FOREIGN:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        assert tag in FOREIGN
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Compare a closing tag with the one that is open."""
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append((self.stack[-1] if self.stack else "", data))

    def of(self, tag: str) -> list[str]:
        """The texts directly in a tag."""
        return [text for name, text in self.texts if name == tag]


def hostile_units() -> list[Unit]:
    """Weights with hostile names."""
    return [Unit(text, text, text, (number,), text) for number, text in enumerate(HOSTILE)]


def hostile_diff() -> Diff:
    """A diff in which every text that a stranger can choose is a hostile one."""
    side = Side(Path(HOSTILE[0]) / HOSTILE[10], "weights-h5", Producer(*HOSTILE[:3]), 1)
    figures = Comparison(4, 3, 2, 4, 1.0, 0.5, 1.0, 2.0, 0.25, 0.5, 7, 1)
    bars = Histogram(-3, -2, (1, 0, 2)), Histogram(-2, 0, (3,))
    pairs = [Pair(unit, unit, Evidence.NAME, figures, histograms=bars) for unit in hostile_units()]
    broken = [Pair(unit, unit, Evidence.NAME, problem=unit.path) for unit in hostile_units()]
    return Diff(
        side,
        side,
        (*pairs, *broken),
        tuple(hostile_units()),
        tuple(hostile_units()),
        tuple(Move(text, text, Evidence.NAME) for text in HOSTILE),
        tuple(ConfigChange(text, text, text, [text], "argument", text) for text in HOSTILE),
        State((HOSTILE[0], HOSTILE[10]), (1, 2), (0.1, 0.2), tuple(pairs)),
        True,
        tuple(HOSTILE),
        tuple(Restated("a", text, (text,)) for text in HOSTILE),
        tuple(AssetChange(text, text, text) for text in HOSTILE),
    )


def hostile_verdict() -> VerifyResult:
    """A verification in which every text that a stranger can choose is a hostile one."""
    slots = [SpecSlot(text, text, (1, None), text, True, text, text, 0) for text in HOSTILE]
    weights = list(hostile_checkpoint().values())
    findings = [WeightProblem(kind, slot, weights[0], slot.path, slot.path) for kind in Status for slot in slots]
    return VerifyResult(
        Path(HOSTILE[0]) / HOSTILE[10],
        "weights-h5",
        HOSTILE[10],
        "path",
        "so it is",
        "raises",
        tuple(findings),
        ((slots[0], weights[0]),),
        tuple(weights),
        tuple(Opaque(text, text, text) for text in HOSTILE),
        tuple(HOSTILE),
    )


def hostile_conversion() -> Conversion:
    """A conversion in which every text that a stranger can choose is a hostile one."""
    remarks = tuple(Remark(text, text) for text in HOSTILE)
    path = Path(HOSTILE[0]) / HOSTILE[10]
    return Conversion(
        path,
        path,
        "weights-h5",
        "keras",
        HOSTILE[0],
        "Keras 2",
        tuple(Applied(EDITS[0], text, text) for text in HOSTILE),
        remarks,
        remarks,
        tuple(Need(text, text) for text in HOSTILE),
        remarks,
        tuple(Transform(text, (text,), ("turned",)) for text in HOSTILE),
        tuple((text, text) for text in HOSTILE),
        unpredicted=HOSTILE[10],
    )


def hostile_report() -> Report:
    """A report of hostile parts."""
    listing = hostile_listing(sections=frozenset({Section.MODEL}))
    parts = hostile_verdict(), hostile_conversion(), hostile_diff(), test_graph.hostile(), tuple(HOSTILE)
    return Report(hostile_info(), listing, test_checks.hostile(), *parts)


def all_pages() -> Iterator[tuple[str, str]]:
    """A page of every kind, of hostile results."""
    for number, style in enumerate(STYLES):
        yield f"listing {number}", LISTING_OUTPUTS["html"](hostile_listing(), style)
    yield "summaries", SUMMARY_OUTPUTS["html"](hostile_summaries(), Style())
    yield "info", INFO_OUTPUTS["html"](hostile_info(), Style())
    yield "diff", DIFF_OUTPUTS["html"](hostile_diff(), Style())
    yield "verdict", VERIFY_OUTPUTS["html"](hostile_verdict(), Style())
    yield "check", CHECK_OUTPUTS["html"](test_checks.hostile(), Style())
    yield "conversion", CONVERSION_OUTPUTS["html"](hostile_conversion(), Style())
    yield "graph", GRAPH_OUTPUTS["html"](test_graph.hostile())
    yield "report", html.report(hostile_report())


PAGES = dict(all_pages())


@pytest.mark.parametrize("kind", PAGES)
class TestEveryPage:
    """The facts that hold for every page, whatever the names in the file."""

    def test_only_tags_of_the_templates(self, kind: str) -> None:
        """No name of a file becomes a tag or an attribute."""
        page = Page(PAGES[kind])
        assert {name for _, name, _ in page.attributes} <= ATTRIBUTES

    def test_no_character_acts(self, kind: str) -> None:
        """No character of a name turns or hides text."""
        assert unsafe(PAGES[kind]) == set()

    def test_places_are_unique(self, kind: str) -> None:
        """Every id is there once, and every link within the page leads to one."""
        page = Page(PAGES[kind])
        ids = [value for _, name, value in page.attributes if name == "id"]
        assert len(ids) == len(set(ids))
        links = {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")}
        labels = {value for _, name, value in page.attributes if name in ("for", "aria-labelledby")}
        assert links | labels <= set(ids)

    def test_one_script_that_the_policy_names(self, kind: str) -> None:
        """The script and the style are those of the package, byte for byte, and the policy allows nothing else."""
        page = Page(PAGES[kind])
        policy = next(value for tag, name, value in page.attributes if (tag, name) == ("meta", "content"))
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert page.of("script") == [pages._text("page.js")]
        assert page.of("style")[0] == pages._text("page.css")
        assert len(page.of("style")) == 1 + (
            kind in ("graph", "report")
        )  # that of the graph, whose names are in no rule
        for tag in ("script", "style"):
            hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in page.of(tag)]
            allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
            assert f"{tag}-src {allowed};" in policy

    def test_no_address(self, kind: str) -> None:
        """Links lead to places in the page only."""
        page = Page(PAGES[kind])
        links = {value for _, name, value in page.attributes if name in ("href", "src")}
        assert {link for link in links if not link.startswith("#")} == {"data:,"}
        assert not re.search(r"https?:|url\(|@import", pages._text("page.css") + pages._text("page.js"))


def test_names_are_texts() -> None:
    """A name that looks like a script is shown as it is."""
    assert any("<script>alert(1)</script>" in text for text in Page(PAGES["listing 0"]).of("b"))


def test_every_weight_is_in_the_page() -> None:
    """No name hides a weight from the tree."""
    listing = hostile_listing(sections=frozenset({Section.MODEL}))
    text = LISTING_OUTPUTS["html"](listing, Style())
    assert all(f"(2, {number}) " in text for number in range(len(HOSTILE)))


def test_charts_of_a_sound_checkpoint() -> None:
    """Every weight of more than one value has a histogram, every kernel of more than one axis a strip."""
    listing = ckpttool.ls(FIXTURES / "keras3/cnn.keras", Choice(stats=True, pictures=True))
    text = html.listing(listing, Style())
    varied = [row for row in listing.rows if row.stats and row.stats.minimum != row.stats.maximum]
    kernels = [row for row in varied if sum(size > 1 for size in row.weight.shape) > 1]
    assert len(varied) > len(kernels) > 0
    assert text.count('aria-label="histogram ') == len(varied)
    assert text.count('aria-label="mean magnitude') == len(kernels)
    Page(text)


def test_of_a_plain_listing() -> None:
    """Without statistics there are no charts, and the page says how to have them."""
    text = html.listing(ckpttool.ls(FIXTURES / "keras3/cnn.keras"), Style())
    assert 'aria-label="histogram' not in text
    assert "--stats" in text


def test_without_jinja(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing Jinja2 is said in one line, with the command that installs it."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    pages._environment.cache_clear()
    outcome = run("ls", str(FIXTURES / "keras3/mlp.keras"), "-o", "html")
    assert (outcome.code, outcome.out) == (2, "")
    assert "pip install 'ckpttool[html]'" in outcome.err


def test_outputs_of_an_architecture(run: Callable[..., Any]) -> None:
    """A file that is an architecture alone has a page of its layers and one of its facts."""
    for command, texts in (("ls", ("block", "kernel")), ("info", ("Keras 2", "nested.json"))):
        outcome = run(command, str(FIXTURES / "keras2.2/nested.json"), "-o", "html")
        assert outcome.code == 0
        Page(outcome.out)
        assert all(word in outcome.out for word in texts)


def test_diff_shows_the_most_changed_first() -> None:
    """Changed layers come first, coloured by their relative change, with both histograms over each other."""
    paths = (FIXTURES / "tuned/base.keras", FIXTURES / "tuned/tuned.keras")
    result = ckpttool.diff(*paths, Scope(pictures=True))
    text = html.diff(result, Style())
    names = [text for text in Page(text).of("b") if text in {"head", "backbone_norm", "backbone_stem"}]
    assert names == ["head", "backbone_norm", "backbone_stem"]
    assert text.count('class="of-a"') == text.count('class="of-b"') == len(result.changed) == 2
    assert text.count('class="swatch c4"') == 2  # one in the scale, one of the layer that changed by 4%
    assert result.inverted().pairs[0].histograms == tuple(reversed(result.pairs[0].histograms or ()))


def test_tiles_of_a_diff_count_what_was_compared(tmp_path: Path) -> None:
    """A weight of another shape is no weight that was compared: it has a tile of its own."""
    for name, units in (("a", 3), ("b", 4)):
        with h5py.File(tmp_path / f"{name}.weights.h5", "w") as file:
            file["layers/dense/vars/0"] = np.ones((2, units), "float32")
            file["layers/dense/vars/1"] = np.full(3, units, "float32")
    result = ckpttool.diff(tmp_path / "a.weights.h5", tmp_path / "b.weights.h5")
    assert (len(result.reshaped), len(result.pairs)) == (1, 2)
    text = html.diff(result, Style())
    assert "<b>1</b><span>weights compared</span>" in text
    assert "<b>1</b><span>of another shape</span>" in text


def test_diff_without_pictures() -> None:
    """Values are read again for histograms only where they are asked for."""
    result = ckpttool.diff(FIXTURES / "tuned/base.keras", FIXTURES / "tuned/tuned.keras")
    assert all(pair.histograms is None for pair in result.pairs)
    assert 'class="of-a"' not in html.diff(result, Style())


def test_check_says_what_to_do() -> None:
    """Every finding has its severity, its reason and its remedy; what needs work comes first."""
    page = Page(CHECK_OUTPUTS["html"](test_checks.sound(), Style()))
    assert page.of("h3") == ["models/bad.keras ", "models/closed.h5 ", "models/good.keras "]
    assert " Do this." in page.of("p")
    assert {"error", "warning", "info", "not checked", "ignored"} <= set(page.of("span"))


def test_every_layer_of_a_graph() -> None:
    """A page has the picture of all layers, one of each model in which those inside it are folded, and a table."""
    graph = ckpttool.graph(FIXTURES / "keras3/nested.keras")
    page = Page(GRAPH_OUTPUTS["html"](graph))
    numbers = [value for _, name, value in page.attributes if name == "data-layer"]
    assert sorted(map(int, numbers[: len(graph.layers)])) == list(range(len(graph.layers)))
    assert len(numbers) == 2 * len(graph.layers)
    paths = [value for _, name, value in page.attributes if name == "data-path"]
    assert [path for path in paths if path] == [layer.path for layer in graph.layers if layer.is_model]
    assert {layer.path for layer in graph.layers} <= set(page.of("td"))


@pytest.mark.parametrize("arguments", [
    ["diff", "tuned/base.keras", "tuned/tuned.keras"],
    ["verify", "keras3/mlp.weights.h5", "keras3/cnn.keras"],
    ["check", "broken", "--no-config"],
    ["convert", "keras2.2/nested.h5", "never-written.keras", "--dry-run"],
], ids=lambda arguments: arguments[0])  # fmt: skip
def test_codes_are_those_of_text(
    arguments: list[str], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page changes neither the exit code nor what is said on standard error."""
    monkeypatch.chdir(FIXTURES)
    plain, shown = run(*arguments), run(*arguments, "-o", "html")
    assert (plain.code, plain.err) == (shown.code, shown.err)
    Page(shown.out)
