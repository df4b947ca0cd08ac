"""Pictures of graphs: golden output, hostile names, and every layer and arrow once."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ckpttool.alignment.architectures import load_architecture
from ckpttool.escape import printable
from ckpttool.inspection.graph import Connection, GraphLayer, ModelGraph, graph_of
from ckpttool.inspection.graph_selection import folded, matching
from ckpttool.model.layers.table import FAMILIES
from ckpttool.render.graph import GRAPH_OUTPUTS, SUFFIXES, colors, mermaid
from ckpttool.render.graph.labels import LONGEST, heading
from tests.render.contract import HOSTILE, unsafe
from tests.samples import FIXTURES

GOLDEN = ("mermaid", "dot", "json", "svg")
MERMAID_LINE = re.compile(
    r"""flowchart\ TD|end|%%\ [^{}]*
    |n\d+\("[^"<>`{}]*"\)|subgraph\ n\d+\["[^"<>`{}]*"\]
    |n\d+\ (-->|-\.->)(\|"[^"<>`{}]*"\|)?\ n\d+
    |classDef\ \w+\ [\w:#,]+|class\ n[\dn,]+\ \w+|linkStyle\ \d+\ [\w:#,-]+""",
    re.VERBOSE,
)
DOT_STRING = r'"(?:[^"\\\n]|\\["\\n])*"'
DOT_LINE = re.compile(
    rf"digraph {DOT_STRING} \{{|\}}|(graph|node|edge) \[[^\\]*\]|subgraph cluster_\d+ \{{"
    rf"|graph \[label={DOT_STRING}, style=rounded, color={DOT_STRING}, fontcolor={DOT_STRING}\]"
    rf"|n\d+ \[label={DOT_STRING}, fillcolor={DOT_STRING}, color={DOT_STRING}\]"
    rf"|n\d+ -> n\d+( \[(\w+=({DOT_STRING}|\w+)(, )?)+\])?"
)


def nested() -> ModelGraph:
    """The graph of a model with models inside it, of which one is called twice."""
    return graph_of(load_architecture(FIXTURES / "keras3/nested.keras"), "nested.keras")


def hostile() -> ModelGraph:
    """A graph in which every text that a stranger can choose is a hostile one."""
    layers = [GraphLayer(text, text, text, "own", text, (), 2, None, True) for text in HOSTILE]
    group = GraphLayer(HOSTILE[0], HOSTILE[11], HOSTILE[12], "model", is_model=True, inputs=(None,), outputs=(None,))
    inner = [
        GraphLayer(text, text, text, "dense", model=len(layers))
        for text in ('n0"]; end', "end", "#quot;", "%%{init}%%")
    ]
    arrows = [Connection(at, at + 1) for at in range(len(layers) - 1)]
    return ModelGraph(
        HOSTILE[0], HOSTILE[8], HOSTILE[11], (*layers, group, *inner), (*arrows, Connection(0, len(layers)))
    )


def lines(text: str) -> Iterator[str]:
    """The lines of a text without the blanks before them."""
    return (line.strip() for line in text.splitlines())


@pytest.mark.parametrize("output", GOLDEN)
def test_golden(output: str, golden: Callable[[str, str], None]) -> None:
    """A model with nested and shared models looks as it did, and folded too."""
    golden(f"graph-nested.{output}", GRAPH_OUTPUTS[output](nested()) + "\n")
    golden(
        f"graph-folded.{output}", GRAPH_OUTPUTS[output](matching(folded(nested(), 1), ["left", "block", "v*"])) + "\n"
    )


@pytest.mark.parametrize("output", sorted(GRAPH_OUTPUTS))
def test_hostile_names(output: str) -> None:
    """No character of a name acts on a terminal, and a long name does not make a long picture."""
    text = GRAPH_OUTPUTS[output](hostile())
    assert unsafe(text) == set()
    assert len(text) < 200_000
    assert text == text.strip("\n")


def test_hostile_names_are_text_in_mermaid() -> None:
    """Every line is one that this renderer writes: no name ends its label, begins a directive or has a tag."""
    for line in lines(mermaid.graph(hostile())):
        assert MERMAID_LINE.fullmatch(line.replace("<br/>", "")), line


def test_names_in_mermaid_are_read_back() -> None:
    """With its character codes replaced, a label has the names that the file has, as far as they can be shown."""
    text = re.sub(r"#(\d+);", lambda match: chr(int(match[1])), mermaid.graph(hostile()))
    for name in HOSTILE:
        assert (printable(name, LONGEST) or "(no name)") in text


def test_hostile_names_are_text_in_dot() -> None:
    """Every line is one that this renderer writes; a quoted string reads back as the name."""
    text = GRAPH_OUTPUTS["dot"](hostile())
    for line in lines(text):
        assert DOT_LINE.fullmatch(line), line
    strings = re.findall(rf"label=({DOT_STRING})", text)
    read = "\n".join(re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), string[1:-1]) for string in strings)
    for name in HOSTILE:
        assert (printable(name, LONGEST) or "(no name)") in read


def test_hostile_names_are_text_in_svg() -> None:
    """The file is XML with the elements of this renderer alone; tooltips read back as the names; nothing is loaded."""
    root = ElementTree.fromstring(GRAPH_OUTPUTS["svg"](hostile()))
    elements = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert elements == {"svg", "title", "style", "rect", "text", "g", "path"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]
    titles = "\n".join(element.text or "" for element in root.iter() if element.tag.endswith("title"))
    for name in HOSTILE:
        assert printable(name, LONGEST) in titles
    style = next(element.text or "" for element in root.iter() if element.tag.endswith("style"))
    assert not re.search(r"url|@import|script|expression", style)


def test_hostile_names_survive_json() -> None:
    """JSON has the names as they are."""
    result = json.loads(GRAPH_OUTPUTS["json"](hostile()))
    assert [layer["name"] for layer in result["layers"]][: len(HOSTILE)] == HOSTILE


@pytest.mark.parametrize(
    "name", ["keras3/nested.keras", "keras3/cnn.keras", "keras1.2/lstm.h5", "keras3/dict_io.keras"]
)
def test_every_layer_and_arrow_once(name: str) -> None:
    """Every output has each layer once, and one arrow for all connections of two layers."""
    graph = graph_of(load_architecture(FIXTURES / name), name)
    arrows = len({(connection.source, connection.target) for connection in graph.connections})
    models = {layer.model for layer in graph.layers} - {None}
    text = list(lines(GRAPH_OUTPUTS["mermaid"](graph)))
    drawn = Counter(match[1] for line in text if (match := re.match(r"(?:subgraph )?(n\d+)[(\[]", line)))
    assert drawn == Counter({f"n{number}": 1 for number in range(len(graph.layers))})
    assert sum("-->" in line or "-.->" in line for line in text) == arrows
    text = list(lines(GRAPH_OUTPUTS["dot"](graph)))
    drawn = Counter(match[1] for line in text if (match := re.match(r"(n\d+) \[|subgraph cluster", line)))
    assert sum(drawn.values()) == len(graph.layers)
    assert drawn[None] == len(models)
    assert sum(" -> " in line for line in text) == arrows
    root = ElementTree.fromstring(GRAPH_OUTPUTS["svg"](graph))
    numbers = [element.get("data-layer") for element in root.iter() if element.get("data-layer")]
    assert Counter(numbers) == Counter({str(number): 1 for number in range(len(graph.layers))})
    ends = [(element.get("data-source"), element.get("data-target")) for element in root.iter()]
    pairs = {(str(connection.source), str(connection.target)) for connection in graph.connections}
    assert Counter(pair for pair in ends if pair != (None, None)) == Counter(dict.fromkeys(pairs, 1))


def test_numbers_in_pictures_have_labels() -> None:
    """Every number beside a name says in a title what it counts."""
    model = nested()
    space = "{http://www.w3.org/2000/svg}"
    for graph in (model, folded(model, 1)):
        texts = list(ElementTree.fromstring(GRAPH_OUTPUTS["svg"](graph)).iter(f"{space}text"))
        ends = [text for text in texts if text.get("class") == "end"]
        labels = [text.findtext(f"{space}title") or "" for text in ends]
        assert len(ends) > len(graph.layers)
        assert all(re.search("parameter|output shape|called|inside", label) for label in labels)
        arrows = [text for text in texts if text.get("class") is None and re.match(r"\d+x", "".join(text.itertext()))]
        assert all("connection" in (text.findtext(f"{space}title") or "") for text in arrows)


def test_files_of_the_same_name_have_different_labels() -> None:
    """A comparison is headed by as much of both paths as differs, and by the names where these differ."""

    def head(path: str, other: str) -> str:
        return heading(replace(nested(), path=path, other=other))

    assert "in tuned/m.keras compared with base/m.keras:" in head("runs/tuned/m.keras", "runs/base/m.keras")
    assert "in b/x/m.keras compared with a/x/m.keras:" in head("/b/x/m.keras", "/a/x/m.keras")
    assert " in " not in head("runs/tuned.keras", "runs/base.keras").partition(":")[0]
    assert "compared with base.keras:" in head("runs/tuned.keras", "runs/base.keras")
    page = GRAPH_OUTPUTS["html"](replace(nested(), path="runs/tuned/m.keras", other="runs/base/m.keras"))
    assert "base/m.keras → tuned/m.keras" in page


def test_several_connections_are_one_arrow() -> None:
    """Two tensors from one layer to another are one arrow with their number; hidden layers make it dashed."""
    layers = tuple(GraphLayer(name, name, "Dense", "dense") for name in "ab")
    graph = ModelGraph("", "Functional", "m", layers, (Connection(0, 1), Connection(0, 1, place=1)))
    assert 'n0 -->|"2x"| n1' in mermaid.graph(graph)
    over = ModelGraph("", "Functional", "m", layers, (Connection(0, 1, through=3),))
    assert 'n0 -.->|"over 3 layers"| n1' in mermaid.graph(over)
    assert 'n0 -> n1 [label="over 3 layers", style=dashed]' in GRAPH_OUTPUTS["dot"](over)


def test_large_flowcharts_are_announced() -> None:
    """Beyond what Mermaid draws by default there is a reason; below there is none."""
    layers = tuple(GraphLayer(str(at), str(at), "Dense", "dense") for at in range(600))
    chain = tuple(Connection(at, at + 1) for at in range(599))
    large = ModelGraph("", "Functional", "m", layers, chain)
    assert "599 arrows" in mermaid.problem(mermaid.graph(large), large)
    assert mermaid.problem(mermaid.graph(nested()), nested()) == ""


def test_every_family_has_a_color() -> None:
    """Each family of the table of layers has a colour, and each suffix an output."""
    assert set(FAMILIES) == set(colors.FAMILIES)
    assert set(SUFFIXES.values()) == set(GRAPH_OUTPUTS)
