"""Code of Lambda layers, read as data: what it computes as an expression, whichever Python wrote it."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckpttool.cli import main
from ckpttool.conversion import Options, plan
from ckpttool.conversion.config.bytecode import StoredFunction
from ckpttool.conversion.config.rewriter import Generation, rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from tests.conversion.of_generation import of_generation
from tests.conversion.python_functions import ARITHMETIC, MORE
from tests.conversion.test_lambdas import model
from tests.loops import for_each
from tests.samples import FIXTURES
from tests.speeds import examples

CODE: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("python_functions.json").read_text())
PYTHONS = list(CODE)

# `lambda x: x / 127.5 - 1.0` of Python 3.5, whose instructions have one byte or three, as Keras 1.2 stored it.
PYTHON_3_5 = (
    "\xe3\x01\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0S\0\0\0s\x0c\0\0\0|\0\0d\x01\0\x1bd\x02\0\x18S)\x03N\xe7\0\0\0\0\0\xe0_@"
    '\xe7\0\0\0\0\0\0\xf0?\xa9\0)\x01\xda\x01xr\x03\0\0\0r\x03\0\0\0\xfa\x08model.py\xda\x08<lambda>"\0\0\0s\0\0\0\0'
)


def computed(function: Any, arguments: Any = None) -> str | None:
    """The formula of a stored function."""
    return StoredFunction(function).formula(arguments)


def signature(function: Any, arguments: Any = None) -> str | None:
    """The signature of a stored function."""
    return StoredFunction(function).signature(arguments)


@pytest.mark.parametrize("python", PYTHONS)
@for_each(ARITHMETIC)
def test_arithmetic(source: str, python: str) -> None:
    """Is the expression of the source."""
    assert computed([CODE[python][source], None, None]) == ARITHMETIC[source]


@pytest.mark.parametrize("source", ARITHMETIC)
def test_an_expression_computes_the_same(source: str) -> None:
    """As the source, on numbers."""
    scope: dict[str, Any] = {}
    exec(source, scope)
    values = np.random.default_rng(1).normal(size=(3, 4, 5)) + 3
    output = computed([CODE["3.12"][source], None, None])
    expected = scope["f"](values.copy())
    np.testing.assert_array_equal(eval(str(output), {"x": values, "y": values}), expected)


@pytest.mark.parametrize("python", PYTHONS)
def test_signatures(python: str) -> None:
    """Code that is more than arithmetic is told by its name, arguments and the names that it uses."""
    code = CODE[python]
    assert signature([code["f = lambda x: K.sqrt(x)"], None, None]) == "lambda x that uses K, sqrt"
    scaled = [code["f = lambda x, scale: x[0] + x[1] * scale"], None, None]
    assert signature(scaled, {"scale": 0.5}) == "lambda x, scale=0.5"
    assert signature(scaled, {"scale": [1]}) == "lambda x, scale=..."
    assert (
        signature([code["f = lambda x, a=2, b=3.0: a * x + b"], [2, 3.0], None], {"b": "B"}) == "lambda x, a=2, b='B'"
    )
    function = next(source for source in code if source.startswith("def f(x):\n    '''"))
    assert signature([code[function], None, None]) == "f(x)"
    assert signature([code["f = lambda *x: x"], None, None]) is None


SOURCES = (
    "x / 255",
    "from __future__ import division\nf = lambda x: x / 255",
    "x * (1 / 2)",
    "f = lambda x, scale: x[0] + x[1] * scale",
    "f = lambda x, a=2, b=3.0: a * x + b",
)


@pytest.mark.parametrize("python", PYTHONS)
@for_each([source for source in MORE if not source.endswith(SOURCES)])
def test_more_than_arithmetic(source: str, python: str) -> None:
    """Has no expression."""
    assert computed([CODE[python][source], None, None]) is None


@pytest.mark.parametrize("python", PYTHONS)
def test_the_division_of_integers(python: str) -> None:
    """Rounds down in Python 2, where the source does not ask for the other: said where an input may be of integers, and
    written so where both numbers are constants."""
    sources = (f"f = lambda x: {SOURCES[0]}", f"f = lambda x: {SOURCES[2]}", SOURCES[1])
    old, halved, asked = (CODE[python].get(source) for source in sources)
    note = " (in Python 2, whose / of integers rounds down)" if python == "2.7" else ""
    assert computed(old) == f"x / 255{note}"
    assert computed(asked) == "x / 255"
    assert computed(halved) == ("x * (1 // 2)" if python == "2.7" else "x * 0.5")


@pytest.mark.parametrize("python", PYTHONS)
def test_several_arguments(python: str) -> None:
    """Have the values that the layer gives them, or else their defaults; without any there is no expression."""
    scaled, line = (CODE[python][source] for source in SOURCES[3:])
    assert computed([scaled, None, None], {"scale": 0.17}) == "x[0] + x[1] * scale (scale=0.17)"
    assert computed([scaled, None, None], {"scale": "\x1b[2J"}) is None
    assert computed([scaled, None, None]) is None
    assert computed([line, [2, 3.0], None], {"b": 1.5}) == "a * x + b (a=2, b=1.5)"
    assert computed([line, [3.0], None], {"a": 7}) == "a * x + b (a=7, b=3.0)"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_forms_of_keras(python: str) -> None:
    """Code alone, in a list, in an entry of its own; in base64 with line ends, or each byte as a character."""
    code = CODE[python]["f = lambda x: x / 127.5 - 1.0"]
    raw = base64.b64decode(code).decode("raw_unicode_escape")
    lines = base64.encodebytes(base64.b64decode(code)).decode()
    for form in (code, raw, lines):
        for function in (
            form,
            [form, None, None],
            {"class_name": "__lambda__", "config": {"value": [form, None, None]}},
            {"class_name": "__lambda__", "config": {"code": form, "defaults": None, "closure": None}},
        ):
            assert computed(function) == "x / 127.5 - 1.0"


def test_instructions_of_one_byte_or_three() -> None:
    """As Python 3.5 wrote them, and its predecessors."""
    assert computed([PYTHON_3_5, None, None]) == "x / 127.5 - 1.0"


JUNK: list[Any] = [
    *(None, True, 3, "", "c", "\xe3", "4w==", "not base64", "\ud800", "c" * 300_000, "A" * 300_000),
    *([], [None] * 3, [1, 2, 3], [[], 1, {}], {}),
    *({"class_name": "__lambda__", **rest} for rest in ({}, {"config": []}, {"config": {"value": 3}})),
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk(junk: Any) -> None:
    """Of any type has no expression."""
    assert computed(junk, junk) is None
    assert computed([CODE["2.7"]["f = lambda x: x * 2"], junk, None], junk) == "x * 2"


def constants_of(constants: bytes) -> str:
    """The code of `lambda x: x` of Python 3.8 with these bytes as its constants."""
    raw = base64.b64decode(CODE["3.8"]["f = lambda x: x"])
    assert raw.count(b")\x01N") == 1
    return raw.replace(b")\x01N", constants).decode("raw_unicode_escape")


@pytest.mark.parametrize(
    "constants",
    [
        b")\xffN",
        b"(\xff\xff\xff\x7fN",
        b"(\xff\xff\xff\xffN",
        b"\xa9\x01r\x01\0\0\0",
        b")\x01" * 50_000 + b"N",
        b")\x01r\xff\xff\xff\xff",
        b")\x01l\xff\xff\xff\x7f",
        b")\x01l\x01\0\0\0\xff\xff",
        b")\x01s\xff\xff\xff\x7f",
        b")\x01z\xff",
        b")\x01g\0",
        b")\x01\xce",
        b")\x01[\0\0\0\0",
        b")\x01c",
        b")\x01a\x01\0\0\0\xff",
    ],
    ids=range(15),
)
def test_malformed_constants(constants: bytes) -> None:
    """Counts beyond the end, tuples that hold themselves, depth without end: no expression, and no exception."""
    assert computed(constants_of(b")\x01N")) == "x"
    assert computed(constants_of(constants)) is None


def test_anything_behind_it() -> None:
    """Makes it no code object, nor does a missing byte."""
    code = base64.b64decode(CODE["3.12"]["f = lambda x: x * 2"])
    for raw in (code + b"N", code[:-1], code[1:], b"N" + code):
        assert computed(base64.b64encode(raw).decode()) is None


def mutants(raw: bytes, seed: int) -> Iterator[bytes]:
    """Code with bytes changed, left out and put in."""
    random = np.random.default_rng(seed)
    for _ in range(examples(40)):
        changed = bytearray(raw)
        for _ in range(random.integers(1, 4)):
            place = int(random.integers(len(changed)))
            kind = random.integers(4)
            if kind < 2:
                changed[place] = random.integers(256)
            elif kind == 2:
                del changed[place : place + int(random.integers(1, 5))]
            else:
                changed[place:place] = random.bytes(int(random.integers(1, 5)))
        yield bytes(changed)


def harmless(expression: str | None) -> bool:
    """Whether there is no expression, or one that can be shown."""
    return expression is None or (expression.isprintable() and 0 < len(expression) <= 200)


@pytest.mark.parametrize("python", PYTHONS)
def test_mutated_code(python: str) -> None:
    """Raises nothing, and what it is said to compute can be shown."""
    for number, code in enumerate(CODE[python].values()):
        for raw in mutants(base64.b64decode(code), number):
            assert harmless(computed([base64.b64encode(raw).decode(), [2, 3.0], None], {"scale": 0.5}))
            assert harmless(computed(raw.decode("latin-1")))


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_instructions_of_any_kind(data: st.DataObject) -> None:
    """In place of those of a function, of any Python: no exception, and bounded."""
    python = data.draw(st.sampled_from(PYTHONS))
    raw = base64.b64decode(CODE[python]["f = lambda x: x / 127.5 - 1.0"])
    there = re.search(rb"[s\xf3](.)\0\0\0", raw)  # the first bytes among the values
    assert there and there.start() < 30
    place, size = there.end(), there[1][0]
    codes = st.sampled_from((*range(34), 45, 52, 56, 83, 85, 88, 100, 102, 110, 111, 122, 124, 125, 133, 149, 151))
    pairs = data.draw(st.lists(st.tuples(codes, st.integers(0, 12)), max_size=600))
    inserted = bytes(byte for pair in pairs for byte in pair)
    changed = raw[: place - 4] + len(inserted).to_bytes(4, "little") + inserted + raw[place + size :]
    assert harmless(computed(base64.b64encode(changed).decode()))


@settings(max_examples=examples(300), deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), st.binary())
def test_any_value(value: Any, raw: bytes) -> None:
    """As a function or as its arguments raises nothing."""
    assert harmless(computed(value, value))
    assert signature(value, value) is None
    code = base64.b64encode(b"\xe3" + raw).decode()
    assert harmless(computed(code, value))
    signature(code, value)


@pytest.mark.parametrize("generation", [Generation.KERAS_2, Generation.KERAS_3])
def test_a_layer(generation: Generation) -> None:
    """Is noted with what its code computes, in configs of Keras 2 and of Keras 3."""
    code = [CODE["3.7"]["f = lambda x, scale: x[0] + x[1] * scale"], None, None]
    function: Any = (
        code if generation is Generation.KERAS_2 else {"class_name": "__lambda__", "config": {"value": code}}
    )
    config = model(("z", {"function": function, "function_type": "lambda", "arguments": {"scale": 0.5}}))
    rewritten = rewrite(of_generation(config, generation), Journal(), Options(), Origin("2.2.4"))
    assert [unfilled.computes for unfilled in rewritten.without_function] == ["x[0] + x[1] * scale (scale=0.5)"]


def test_a_refusal_of_code(tmp_path: Path) -> None:
    """Says what is called how, and how to pass another function."""
    config = model(
        ("z", {"function": [CODE["3.11"]["f = lambda x: K.sqrt(x)"], None, None], "function_type": "lambda"})
    )
    (tmp_path / "model.json").write_text(json.dumps({**config, "keras_version": "2.15.0"}))
    [refusal] = plan(FIXTURES / "keras2.15/mlp.h5", tmp_path / "new.keras", arch=tmp_path / "model.json").refusals[:1]
    advice = "--replace z=package.module:function puts a function of yours in place"
    assert refusal.what == f"a Lambda layer, which holds code: lambda x that uses K, sqrt; {advice}"


def test_a_refusal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of convert and of check says what the code computes; weights alone need a function that does so."""
    path = FIXTURES / "old_layers" / "keras2.2" / "refused_lambda.h5"
    reason = (
        "a Lambda layer that computes x * 2; --replace twice=package.module:function puts a function of yours in place"
    )
    assert [(refusal.where, refusal.what) for refusal in plan(path, tmp_path / "new.keras").refusals] == [
        ("twice", reason)
    ]
    with pytest.raises(SystemExit):
        main(["check", str(path)])
    assert reason in capsys.readouterr().out
    [need] = plan(path, tmp_path / "new.weights.h5").needs
    assert need.what == "the function of this Lambda, which computes x * 2, in the model that the weights are for"
