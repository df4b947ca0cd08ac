"""Results in a notebook: HTML where Jinja2 is installed, the short text elsewhere."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.inspection.listing import Choice
from ckpttool.render.html import pages
from tests.render.contract import hostile_checkpoint, unsafe
from tests.render.test_graph import hostile as hostile_graph
from tests.render.test_html import Page, hostile_diff
from tests.samples import FIXTURES

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def results() -> Iterator[Any]:
    """A result of every kind."""
    with ckpttool.open(FIXTURES / "keras3/cnn.keras") as checkpoint:
        yield checkpoint
        yield checkpoint.layers["stem"]["kernel"]
    yield ckpttool.ls(FIXTURES / "keras3/cnn.keras", Choice(stats=True, pictures=True))
    yield ckpttool.info(FIXTURES / "keras3/cnn.keras")
    yield ckpttool.load_spec(str(FIXTURES / "keras3/cnn.keras"))
    yield ckpttool.diff(FIXTURES / "tuned/base.keras", FIXTURES / "tuned/tuned.keras")
    yield ckpttool.verify(FIXTURES / "keras3/mlp.weights.h5", FIXTURES / "keras3/cnn.keras")
    yield ckpttool.check(FIXTURES / "keras3/cnn.keras")
    yield ckpttool.plan(FIXTURES / "keras2.2/nested.h5", "never-written.keras")
    yield ckpttool.report(FIXTURES / "keras2.2/nested.h5")
    yield ckpttool.ls_directory(FIXTURES / "keras3")
    yield ckpttool.graph(FIXTURES / "keras3/nested.keras")
    yield ckpttool.cost(FIXTURES / "keras3/nested.keras")


@pytest.mark.parametrize("number", range(13))
def test_html(number: int) -> None:
    """Each result is shown as HTML without a script; its text is one line."""
    result = next(result for at, result in enumerate(results()) if at == number)
    page = Page(result._repr_html_())
    assert page.of("h2")
    assert not page.of("script")
    assert "\n" not in repr(result)
    assert len(repr(result)) < 200


def test_weight_shows_its_values() -> None:
    """A weight has its histogram where its file is open, and its facts where it is closed."""
    checkpoint = ckpttool.open(FIXTURES / "keras3/cnn.keras")
    weight = checkpoint.layers["stem"]["kernel"]
    assert "histogram from" in (weight._repr_html_() or "")
    checkpoint.close()
    assert "(3, 3, 3, 4) float32" in (weight._repr_html_() or "")


def test_places_of_two_outputs_differ() -> None:
    """Two outputs share no id: both stand on one page."""
    shown = [ckpttool.info(FIXTURES / name)._repr_html_() or "" for name in ("keras3/cnn.keras", "keras3/mlp.keras")]
    ids = [set(re.findall(r' id="([^"]*)"', text)) for text in shown]
    assert ids[0]
    assert not ids[0] & ids[1]
    for text, own in zip(shown, ids, strict=True):
        assert set(re.findall(r'aria-labelledby="([^"]*)"', text)) <= own


def test_hostile_names() -> None:
    """Names in a checkpoint are text in a notebook too, which has no policy that would stop a script."""
    for shown_result in (hostile_checkpoint(), hostile_diff(), hostile_graph()):
        text = shown_result._repr_html_() or ""
        assert unsafe(text) == set()
        page = Page(text)
        assert not page.of("script")
        assert any("<script>alert(1)" in shown for _, shown in page.texts)


def test_without_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Jinja2 there is no HTML, and a notebook shows the text."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    pages._environment.cache_clear()
    assert ckpttool.info(FIXTURES / "keras3/cnn.keras")._repr_html_() is None


def test_of_many_layers() -> None:
    """An output of a notebook stays small, whatever the number of layers."""
    listing = ckpttool.ls(FIXTURES / "keras3/many.weights.h5")
    from dataclasses import replace

    rows = tuple(listing.rows[0]._replace(layer=f"layer_{number}") for number in range(3000))
    text = replace(listing, rows=rows)._repr_html_() or ""
    assert "and 2,800 more layers" in text
    assert len(text) < 300_000


def test_the_notebook_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook runs as it stands, and shows what is stored in it."""
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    client = pytest.importorskip("nbclient", reason="nbclient is not installed")
    import nbformat

    stored = nbformat.read(NOTEBOOK, 4)
    fresh = nbformat.from_dict(stored)
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    resources = {"metadata": {"path": str(NOTEBOOK.parents[1])}}
    client.NotebookClient(fresh, timeout=120, kernel_name="python3", resources=resources).execute()
    assert [shown(cell) for cell in fresh.cells] == [shown(cell) for cell in stored.cells]


def shown(cell: Any) -> list[str]:
    """The texts and the HTML that a cell has put out, without style and the paths of this machine."""
    outputs = cell.get("outputs", [])
    assert all(output["output_type"] in ("execute_result", "stream", "display_data") for output in outputs)
    return [output.get("text") or output["data"].get("text/plain") for output in outputs]
