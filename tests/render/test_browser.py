"""Pages of every kind in a real browser: they open without an error and ask for nothing, and all that moves works."""

import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.comparison import Scope
from ckpttool.inspection.listing import Choice
from ckpttool.render import Style, html
from ckpttool.render.checks import CHECK_OUTPUTS
from tests.corpus import needs_adversarial
from tests.render.test_html import PAGES
from tests.samples import FIXTURES
from tests.speeds import is_slow
from tests.test_hostile import outcomes

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")

ESCAPED = re.compile(r"&lt;|&gt;|&#|\\[xu]")
PHONE = {"width": 390, "height": 800}
TRY_TO_LEAVE = """async (address) => {
  const outcomes = {};
  window.hit = false;
  document.body.insertAdjacentHTML("beforeend", "<img src=x: onerror='window.hit = true'>");
  const script = document.createElement("script");
  script.textContent = "window.hit = true";
  document.body.append(script);
  await fetch(address).catch(() => { outcomes.fetch = "refused"; });
  const image = new Image();
  await new Promise((done) => { image.onerror = done; image.src = address; });
  outcomes.hit = window.hit;
  return outcomes;
}"""


class Visit:
    """A page that is open, and what it said and asked for."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page, self.trouble, self.requests = page, list[str](), list[str]()
        page.on("console", lambda message: self.trouble.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("dialog", lambda dialog: (self.trouble.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())

    def names(self) -> list[str]:
        """The names of the layers that are to be seen, in order."""
        return list(self.page.locator("#layers .tree .name b").filter(visible=True).all_inner_texts())

    def check(self, path: Path) -> None:
        """Nothing went wrong, and the page itself is all that was loaded."""
        assert self.trouble == []
        assert [url for url in self.requests if not url.startswith("data:")] == [path.as_uri()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser for all tests of this file."""
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Opens a page from disk; afterwards nothing went wrong on it."""
    visits, contexts = [], []

    def to(text: str, **options: Any) -> Visit:
        path = tmp_path / f"{len(visits)}.html"
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        contexts.append(browser.new_context(**options))
        visits.append((Visit(contexts[-1].new_page(), path), path))
        return visits[-1][0]

    yield to
    for opened, path in visits:
        opened.check(path)
    for context in contexts:
        context.close()


def sound_pages() -> dict[str, str]:
    """A page of every kind, of fixtures."""
    base, tuned = (FIXTURES / name for name in ("tuned/base.keras", "tuned/tuned.keras"))
    old = FIXTURES / "keras2.2/nested.h5"
    choice = Choice(stats=True, pictures=True, graph=True)
    return {
        "listing": html.listing(ckpttool.ls(FIXTURES / "keras3/nested.keras", choice), Style()),
        "info": html.info(ckpttool.info(old), Style()),
        "diff": html.diff(ckpttool.diff(base, tuned, Scope(pictures=True, optimizer=True)), Style()),
        "verdict": html.verdict(ckpttool.verify(FIXTURES / "keras3/mlp.weights.h5", base), Style()),
        "check": CHECK_OUTPUTS["html"](ckpttool.check(FIXTURES / "broken"), Style()),
        "conversion": html.conversion(ckpttool.plan(old, "never-written.keras"), Style()),
        "graph": html.graph(ckpttool.graph(FIXTURES / "keras3/nested.keras")),
        "changed graph": html.graph(ckpttool.graph(base, tuned)),
        "report": html.report(ckpttool.report(tuned, base)),
    }


@pytest.fixture(scope="module")
def sound() -> dict[str, str]:
    """The pages of fixtures, made once."""
    return sound_pages()


KINDS = ("listing", "info", "diff", "verdict", "check", "conversion", "graph", "changed graph", "report")


@pytest.mark.parametrize("kind", KINDS)
def test_accessible(kind: str, sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """axe-core finds no serious fault, in light and in dark, on a desk and on a phone; no page is wider than that."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    for scheme, width in (("light", 1280), ("dark", 390)):
        page = visit(sound[kind], color_scheme=scheme, viewport={"width": width, "height": 900}).page
        violations = axe.run(page).response["violations"]
        serious = [
            (violation["id"], violation["nodes"][0]["html"])
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        ]
        assert serious == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("kind", PAGES)
def test_hostile_names(kind: str, visit: Callable[..., Visit]) -> None:
    """A page of hostile names runs one script, its own, and shows the names as text."""
    page = visit(PAGES[kind]).page
    assert page.locator("script").count() == 1
    assert page.locator("img, iframe, object, a[href^=http]").count() == 0


def test_the_policy_holds(sound: dict[str, str], browser: Any, tmp_path: Path) -> None:
    """Code in a page could neither run nor load anything, however it got there: the policy refuses it."""
    path = tmp_path / "page.html"
    path.write_text(sound["listing"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        context = browser.new_context()
        page = context.new_page()
        page.goto(path.as_uri())
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.png"
        assert page.evaluate(TRY_TO_LEAVE, address) == {"fetch": "refused", "hit": False}
        with pytest.raises(TimeoutError):
            server.accept()
        context.close()


def test_search(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """The search keeps the layers that have all words, says how many they are, and Escape brings all back."""
    opened = visit(sound["listing"])
    everything = opened.names()
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("batchnorm gamma")
    assert opened.page.locator("#layers .count").inner_text() == "1 layer"
    assert {"batch_normalization"} <= set(opened.names()) < set(everything)
    opened.page.keyboard.press("Escape")
    assert opened.names() == everything


def test_order(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """Layers are ordered by name or parameters, inside of models too, and back."""
    opened = visit(sound["listing"])
    tops = "#layers .tree > * > summary .name b, #layers .tree > .leaf .name b"
    stored = opened.page.locator(tops).all_inner_texts()
    opened.page.get_by_label("Order of layers").select_option("name")
    assert opened.page.locator(tops).all_inner_texts() == sorted(stored)
    opened.page.get_by_label("Order of layers").select_option("params")
    assert opened.page.locator(tops).all_inner_texts()[0] == "block"
    opened.page.get_by_label("Order of layers").select_option("stored")
    assert opened.page.locator(tops).all_inner_texts() == stored


def test_folds(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """A button unfolds and folds all; a layer is opened by keyboard."""
    page = visit(sound["listing"]).page
    folded = page.locator("#layers details:not([open])")
    total = page.locator("#layers details").count()
    page.get_by_role("button", name="Unfold all").click()
    assert folded.count() == 0
    page.get_by_role("button", name="Fold all").click()
    assert folded.count() == total
    page.locator("#layers summary").first.focus()
    page.keyboard.press("Enter")
    assert folded.count() == total - 1


def test_tables(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """A table is ordered by the column whose title is pressed, upwards and then downwards, numbers as numbers."""
    page = visit(sound["verdict"]).page
    counts = page.locator("tbody td:nth-child(3)")
    page.get_by_role("button", name="count").click()
    upwards = list(map(int, counts.all_inner_texts()))
    assert upwards == sorted(upwards)
    page.get_by_role("button", name="count").click()
    assert list(map(int, counts.all_inner_texts())) == upwards[::-1]
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("count")


def test_colours(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """The page is dark where the system is, and as its button says where that was pressed."""
    paper = "getComputedStyle(document.body).backgroundColor"
    page = visit(sound["report"], color_scheme="dark").page
    dark = page.evaluate(paper)
    page.locator(".theme").click()
    assert page.locator(".theme").inner_text() == "Colours: light"
    light = page.evaluate(paper)
    assert dark != light
    assert visit(sound["report"], color_scheme="light").page.evaluate(paper) == light
    page.locator(".theme").click()
    assert page.evaluate(paper) == dark


def test_print(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """Paper has every weight, is white in the dark too, and folds are as before afterwards."""
    page = visit(sound["listing"], color_scheme="dark").page
    page.get_by_role("button", name="Unfold all").click()
    page.get_by_role("button", name="Fold all").click()
    assert len(page.pdf()) > 10_000
    assert page.locator("#layers details[open]").count() == 0
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#layers .weights > li").first.is_visible()
    assert page.locator("#layers .weights > li").last.is_visible()
    assert not page.locator("#layers .tools").is_visible()


def test_without_scripts(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """Without scripts a page shows all, folds, and has no buttons that do nothing."""
    page = visit(sound["listing"], java_script_enabled=False).page
    assert page.locator("#layers summary").first.is_visible()
    assert not page.locator(".theme").is_visible()
    assert not page.locator("#layers .tools").is_visible()


BOX = "#graph .picture .dense rect"


@pytest.mark.parametrize("kind", ["graph", "report"])
def test_colours_of_a_graph(kind: str, sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """The picture of a graph has the colours of its page: those of the system, or of the button."""
    fill = f"getComputedStyle(document.querySelector('{BOX}')).fill"
    page = visit(sound[kind], color_scheme="dark").page
    dark = page.evaluate(fill)
    page.locator(".theme").click()
    light = page.evaluate(fill)
    assert dark != light
    assert visit(sound[kind], color_scheme="light").page.evaluate(fill) == light
    page.locator(".theme").click()
    assert page.evaluate(fill) == dark
    page.emulate_media(media="print")
    assert page.evaluate(fill) == light


def test_search_of_a_graph(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """The search fades other layers, says how many match, and Enter opens and picks the first."""
    page = visit(sound["graph"]).page
    faded = page.locator("#graph details >> nth=0").locator(".dim")
    page.keyboard.press("/")
    page.keyboard.type("dense core")
    assert page.locator("#graph .count").inner_text() == "2 layers"
    assert faded.count() == 15 - 2
    page.locator("#graph .views > details > summary").first.click()
    page.get_by_label("Search the graph").press("Enter")
    assert page.locator("#graph .picked .name").first.text_content() == "core_in"
    assert "from input_layer · to core_out" in page.locator("#graph .count").inner_text()
    page.get_by_label("Search the graph").press("Escape")
    assert faded.count() == 0


def test_models_in_a_graph_fold(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """A model that is folded opens by a click on its box, and by keyboard."""
    page = visit(sound["graph"]).page
    inner = page.locator("#graph details[data-path=block]")
    assert not inner.locator(".picture").first.is_visible()
    page.locator("#graph .views > details > summary").nth(1).press("Enter")
    page.locator("#graph .views > details").nth(1).locator(".picture").first.locator("g.model[data-layer]").nth(
        1
    ).click()
    assert inner.locator(".picture").first.is_visible()
    assert page.locator("#graph .picked").count() == 1
    inner.locator("summary").first.press("Enter")
    assert not inner.locator(".picture").first.is_visible()


def test_size_of_a_graph(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """Buttons make a picture larger and smaller, and as wide as there is room."""
    page = visit(sound["graph"], viewport={"width": 390, "height": 800}).page
    size = "document.querySelector('#graph .picture svg').getBoundingClientRect().width"
    room = "document.querySelector('#graph .picture').clientWidth"
    before = page.evaluate(size)
    page.get_by_role("button", name="Larger").click()
    assert page.evaluate(size) == pytest.approx(before * 1.25, rel=0.01)
    page.get_by_role("button", name="Smaller").click()
    assert page.evaluate(size) == pytest.approx(before, rel=0.01)
    page.get_by_role("button", name="Fit").click()
    assert page.evaluate(size) <= page.evaluate(room)


def test_pictures_on_a_phone(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """On a phone small pictures are seen whole, what they are of is text that breaks, and so is the search's."""
    page = visit(sound["graph"], viewport={"width": 390, "height": 800}).page
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.wait_for_timeout(200)
    cut = """() => [...document.querySelectorAll("#graph .picture")].filter((one) => {
      const width = Number(one.querySelector("svg").getAttribute("viewBox").split(" ")[2]);
      return one.clientWidth / width >= 0.6 && one.scrollWidth > one.clientWidth;
    }).length"""
    assert page.locator("#graph .picture").count() > 4
    assert page.evaluate(cut) == 0
    keys = page.locator("#graph .scale li")
    assert keys.all_inner_texts() == ["input", "model", "dense", "normalization", "merge"]
    assert page.locator("#graph .picture .heading").count() == 0
    assert page.get_by_text("Sequential 'shared': 2 layers, 20 parameters").first.is_visible()
    assert page.evaluate("(() => { const i = document.querySelector('#graph input'); return i.clientWidth; })()") > 280


def test_large_numbers_stay_in_one_line(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """A number in a tile is not broken, and a text that is longer than the page is."""
    for width in (1280, 390):
        page = visit(sound["report"], viewport={"width": width, "height": 800}).page
        lines = """(text) => {
          const tile = document.querySelector("#facts .tiles b");
          tile.textContent = text;
          return Math.round(tile.clientHeight / parseFloat(getComputedStyle(tile).lineHeight));
        }"""
        assert page.evaluate(lines, "11,066,658,687") == 1
        assert page.evaluate(lines, "x" * 1000) > 3
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_odd_sizes_fit_a_phone(visit: Callable[..., Visit]) -> None:
    """A page is no wider than the phone, however deep layers are nested and however large their numbers are."""
    listing = ckpttool.ls(FIXTURES / "keras3/mlp.keras", Choice(stats=True))
    rows = listing.rows
    deep = rows[0]._replace(layer="/".join(["deep"] * 60))
    large = rows[1]._replace(layer="large", weight=replace(rows[1].weight, shape=(2**31, 2**31)))
    page = visit(html.listing(replace(listing, rows=(deep, large, *rows)), Style()), viewport=PHONE).page
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_first_layer_is_in_sight(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """A picture that is wider than its place is scrolled to its first layer."""
    page = visit(sound["changed graph"], viewport={"width": 180, "height": 800}).page
    sight = """() => {
      const picture = document.querySelector("#graph .picture");
      const [outer, box] = [picture, picture.querySelector("[data-layer]")].map((e) => e.getBoundingClientRect());
      return [picture.scrollWidth > picture.clientWidth, Math.abs(box.left + box.right - outer.left - outer.right) < 9];
    }"""
    assert page.evaluate(sight) == [True, True]


def test_a_graph_on_paper_and_without_scripts(sound: dict[str, str], visit: Callable[..., Visit]) -> None:
    """Paper has the whole picture and the table; without scripts there are no buttons, and all folds."""
    page = visit(sound["graph"]).page
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#graph tbody tr").last.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.picture')).overflow") == "visible"
    assert len(page.pdf()) > 10_000
    plain = visit(sound["graph"], java_script_enabled=False).page
    assert plain.locator("#graph .picture").first.is_visible()
    assert not plain.locator("#graph .tools").is_visible()
    plain.locator("#graph .more > summary").click()
    assert plain.locator("#graph tbody tr").first.is_visible()


def test_many_weights(visit: Callable[..., Visit]) -> None:
    """A page of 1,040 weights with charts is below 1.5 MB, and all of them are there and searched."""
    listing = ckpttool.ls(FIXTURES / "keras3/cnn.keras", Choice(stats=True, pictures=True))
    row = next(row for row in listing.rows if row.picture and row.picture.magnitudes)
    from dataclasses import replace

    rows = tuple(row._replace(layer=f"block{number // 4}_conv", label=f"kernel_{number}") for number in range(1040))
    text = html.listing(replace(listing, rows=rows, layers=()), Style())
    assert len(text) < 1_500_000
    page = visit(text).page
    assert page.locator("#layers .weights > li").count() == 1040
    page.get_by_label("Search layers").fill("kernel_777")
    assert page.locator("#layers .count").inner_text() == "1 layer"


@needs_adversarial
def test_hostile_files(hostile: Path, browser: Any, tmp_path: Path) -> None:
    """No page on any hostile checkpoint runs a script of the file's, loads anything, or has an error."""
    results = outcomes(hostile, ["ls", "{}", "--section", "all", "-o", "html"])
    pages = {file: result["stdout"] for file, result in results.items() if result["stdout"].startswith("<!DOCTYPE")}
    assert len(pages) > 200
    if not is_slow():  # of pages in which nothing had to be escaped, every fourth
        pages = {file: text for at, (file, text) in enumerate(pages.items()) if at % 4 == 0 or ESCAPED.search(text)}
    context = browser.new_context()
    page = context.new_page()
    path = tmp_path / "page.html"
    trouble = []
    for file, text in pages.items():
        path.write_text(text, encoding="utf-8")
        opened = Visit(page, path)
        scripts = page.locator("script").count()
        if opened.trouble or scripts != 1 or {url for url in opened.requests if url[:5] != "data:"} != {path.as_uri()}:
            trouble.append((file, opened.trouble, opened.requests, scripts))
        for event in ("console", "pageerror", "dialog", "request"):
            page._impl_obj.remove_all_listeners(event)
    context.close()
    assert trouble == [], json.dumps(trouble)[:4000]
