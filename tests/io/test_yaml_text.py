"""YAML of old Keras and of strangers: data only, bounded, and one kind of error."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.io import yaml_text
from ckpttool.io.yaml_text import MAX_BYTES, parse
from tests.samples import FIXTURES

NUMPY_SCALAR = b"""
units: !!python/object/apply:numpy.core.multiarray.scalar
- !!python/object/apply:numpy.dtype
  args: [i8, 0, 1]
  state: !!python/tuple [3, <, null, null, null, -1, -1, 0]
- !!binary |
  QAAAAAAAAAA=
"""

NUMPY_ARRAY = """
value: !!python/object/apply:numpy.core.multiarray._reconstruct
  args:
  - !!python/name:numpy.ndarray ''
  - !!python/tuple [0]
  - !!binary |
    Yg==
  state: !!python/tuple
  - 1
  - !!python/tuple SHAPE
  - !!python/object/apply:numpy.dtype
    args: [f8, 0, 1]
    state: !!python/tuple [3, <, null, null, null, -1, -1, 0]
  - false
  - !!binary |
    BYTES
"""


def test_tuples_and_anchors() -> None:
    """Tuples are lists, and an alias is what its anchor is."""
    assert parse(b"a: &x !!python/tuple [1, null, 2.5]\nb: *x\n", "it") == {"a": [1, None, 2.5], "b": [1, None, 2.5]}


def test_numpy_scalars() -> None:
    """A NumPy number that Keras 1 let slip in is that number."""
    assert parse(NUMPY_SCALAR, "it") == {"units": 64}


@pytest.mark.parametrize(
    ("shape", "data", "value"),
    [
        ("[]", "AAAAAAAA0D8=", 0.25),
        ("[2]", "AAAAAAAA8D8AAAAAAAAAQA==", [1.0, 2.0]),
        ("[2, 1]", "AAAAAAAA8D8AAAAAAAAAQA==", [[1.0], [2.0]]),
        ("[0]", "", []),
        ("[3]", "AAAAAAAA8D8AAAAAAAAAQA==", None),
        ("[-1]", "AAAAAAAA0D8=", None),
        ("[x]", "AAAAAAAA0D8=", None),
    ],
)
def test_numpy_arrays(shape: str, data: str, value: object) -> None:
    """A NumPy array as Keras 2.0.9 wrote it is its items in lists, a number where it has no axes."""
    assert parse(NUMPY_ARRAY.replace("SHAPE", shape).replace("BYTES", data).encode(), "it") == {"value": value}


def test_a_numpy_array_too_large() -> None:
    """An array counts with all its items."""
    with pytest.raises(UnsafeFileError, match="too many elements"):
        parse(NUMPY_ARRAY.replace("SHAPE", "[300000]").replace("BYTES", "AAAAAAAA0D8=").encode(), "it")


def test_genuine_keras_1() -> None:
    """The YAML that Keras 1.2 wrote, NumPy scalars and tuples included."""
    document = parse((FIXTURES / "keras1.2" / "cnn.yaml").read_bytes(), "it")
    layers = {layer["config"]["name"]: layer["config"] for layer in document["config"]}
    assert layers["score"]["input_dim"] == 64
    assert layers["convolution2d_1"]["batch_input_shape"] == [None, 2, 6, 6]


@pytest.mark.parametrize(
    "text",
    [
        b"!!python/object/apply:os.system ['touch marker']",
        b"a: !!python/object/new:os.system ['touch marker']",
        b"a: !!python/name:os.system",
        b"a: !!python/module:os",
        b"a: !unknown {b: 1}",
        b"- !!python/object/apply:numpy.core.multiarray.scalar [1, 2]",
    ],
)
def test_objects_are_not_constructed(text: bytes, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag that asks for an object of Python gets none: what is left is data."""
    monkeypatch.chdir(str(tmp_path))
    left = parse(text, "it")
    assert left in (["touch marker"], {"a": ["touch marker"]}, {"a": None}, {"a": {"b": 1}}, [None])


def test_aliases_of_aliases() -> None:
    """A few lines that stand for billions of elements are refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(UnsafeFileError, match="too many"):
        parse("\n".join(lines).encode(), "it")


@pytest.mark.parametrize(
    "text",
    [b"[" * 201 + b"]" * 201, b"- " * 201 + b"a", b"- " * 100 + b"[" * 101 + b"]" * 101, b"a: &a [*a]", b"[" * 100_000],
)
def test_depth(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deep nesting, and an anchor within itself, are one error, which comes before what lies deeper is read."""
    monkeypatch.setattr(yaml_text, "MAX_TOKENS", 250)
    with pytest.raises(UnsafeFileError, match="nested too deeply"):
        parse(text, "it")


@pytest.mark.parametrize("text", [b"[" * 200 + b"]" * 200, b"- " * 199 + b"a", b"- " * 100 + b"[" * 100 + b"]" * 100])
def test_as_deep_as_may_be(text: bytes) -> None:
    """Two hundred levels are read, in brackets and in blocks."""
    assert isinstance(parse(text, "it"), list)


def test_size() -> None:
    """A text over the limit is refused before it is parsed."""
    with pytest.raises(UnsafeFileError, match="too large"):
        parse(b" " * (MAX_BYTES + 1), "it")


@pytest.mark.parametrize(
    "text",
    ["[" + "1," * 1000, "{" + "".join(f"a{n}: 1," for n in range(1000)), "- a\n" * 1000,
     "a: &a 1\nb:\n" + "- *a\n" * 1000, "- !!str x\n" * 1000, "%X\n" * 1000 + "--- a", "a: 1\r\n" * 1000],
)  # fmt: skip
def test_elements_are_counted_as_they_are_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More tokens than the limit end the reading, in whatever form: PyYAML takes long for each."""
    monkeypatch.setattr(yaml_text, "MAX_TOKENS", 500)
    with pytest.raises(UnsafeFileError, match="too many elements"):
        parse(text.encode(), "it")


@pytest.mark.parametrize("text", ["1" + ":59" * 400, "1" + ":59" * 400 + ".5", "0b" + "1" * 2000, "0x" + "f" * 2000])
def test_numbers_without_end(text: str) -> None:
    """A number in many parts of sixty, or in bits, is refused: the time that it takes grows with the square of it."""
    with pytest.raises(UnsafeFileError, match="number that is too long"):
        parse(text.encode(), "it")
    assert parse(b"[1:59:59, 0b101, 0x1f]", "it") == [7199, 5, 31]


@pytest.mark.parametrize("text", [b"a: [1", b"\xff\xfe\x00", b"a: b: c", b"*nowhere", b"!!int twelve"])
def test_broken(text: bytes) -> None:
    """A text that is no YAML is an error that says so."""
    with pytest.raises(CorruptFileError, match="no valid YAML"):
        parse(text, "it")


@given(st.binary(max_size=300) | st.text("[]{},:-?!&*#|>'\"%@ \n\tab01.~", max_size=20).map(str.encode))
def test_noise(raw: bytes) -> None:
    """Bytes of any kind are plain data, which JSON can hold, or a `CheckpointError`."""
    try:
        value = parse(raw, "it")
    except CheckpointError:
        return
    assert json.loads(json.dumps(value)) == value or "NaN" in json.dumps(value)


def test_without_pyyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyYAML the error says what to install."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UnsupportedError) as caught:
        parse(b"a: 1", "it")
    assert "pip install 'ckpttool[yaml]'" in caught.value.hint
