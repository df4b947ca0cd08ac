"""Pages of HTML: one file each, whose script is ours alone, and in which texts of files stay texts."""

import base64
import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

import ckpttool
from ckpttool.checkpoint import Section
from ckpttool.inspection.listing import Choice
from ckpttool.render import INFO_OUTPUTS, LISTING_OUTPUTS, SUMMARY_OUTPUTS, Style, html
from ckpttool.render.html import pages
from tests.render.contract import HOSTILE, STYLES, hostile_info, hostile_listing, hostile_summaries
from tests.samples import FIXTURES

EMPTY = {"meta", "link", "input", "br", "hr", "img"}
FOREIGN = {"path", "rect", "use"}  # of SVG, which close themselves
TAGS = EMPTY | FOREIGN | set(
    "html head title style body a header div h1 h2 h3 p nav button main section ul li b span svg label select option "
    "details summary dl dt dd table thead tbody tr th td footer script i".split()
)  # fmt: skip
ATTRIBUTES = set(
    "lang charset http-equiv content name rel href class id type hidden aria-labelledby aria-label aria-hidden "
    "aria-pressed role tabindex viewbox preserveaspectratio width height x d for placeholder autocomplete value open "
    "scope data-params data-zeros data-change".split()
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


def all_pages() -> Iterator[tuple[str, str]]:
    """A page of every kind, of hostile results."""
    for number, style in enumerate(STYLES):
        yield f"listing {number}", LISTING_OUTPUTS["html"](hostile_listing(), style)
    yield "summaries", SUMMARY_OUTPUTS["html"](hostile_summaries(), Style())
    yield "info", INFO_OUTPUTS["html"](hostile_info(), Style())


PAGES = dict(all_pages())


@pytest.mark.parametrize("kind", PAGES)
class TestEveryPage:
    """What holds for every page, whatever the names in the file."""

    def test_only_tags_of_the_templates(self, kind: str) -> None:
        """No name of a file becomes a tag or an attribute."""
        page = Page(PAGES[kind])
        assert {name for _, name, _ in page.attributes} <= ATTRIBUTES

    def test_one_script_that_the_policy_names(self, kind: str) -> None:
        """The script and the style are those of the package, byte for byte, and the policy allows nothing else."""
        page = Page(PAGES[kind])
        policy = next(value for tag, name, value in page.attributes if (tag, name) == ("meta", "content"))
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        for tag, file in (("script", "page.js"), ("style", "page.css")):
            (text,) = page.of(tag)
            assert text == pages._text(file)
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy

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
    done = run("ls", str(FIXTURES / "keras3/mlp.keras"), "-o", "html")
    assert (done.code, done.out) == (2, "")
    assert "pip install 'ckpttool[html]'" in done.err


def test_outputs_of_an_architecture(run: Callable[..., Any]) -> None:
    """A file that is an architecture alone has a page of its layers and one of its facts."""
    for command in ("ls", "info"):
        done = run(command, str(FIXTURES / "keras2.2/nested.json"), "-o", "html")
        assert done.code == 0
        Page(done.out)
