"""YAML from strangers, as Keras 0 to 2.5 wrote architectures (`model.to_yaml()`): data only, size and nesting bounded.

The text is parsed into nodes and never into objects: a tag can ask for nothing. Tuples become lists; the NumPy scalars
and arrays that Keras 1 and 2 let slip in are decoded from their bytes; any other object of Python stands as None.
"""

import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ckpttool.errors import CorruptFileError, UnsafeFileError, UnsupportedError, ambiguous, too_deep
from ckpttool.io import scalars

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 2 << 20
MAX_TOKENS = 150_000  # which PyYAML takes two to three seconds for
MAX_NODES = 200_000
MAX_NUMBER = 1_000  # characters; sums of many parts of sixty take long
MAX_DEPTH = 200
MAX_AXES = 32  # of a NumPy array

_NUMPY_SCALAR = "tag:yaml.org,2002:python/object/apply:numpy.core.multiarray.scalar"
_NUMPY_ARRAY = "tag:yaml.org,2002:python/object/apply:numpy.core.multiarray._reconstruct"
_PLAIN = "tag:yaml.org,2002:"
_NUMERIC = (f"{_PLAIN}int", f"{_PLAIN}float")
_NUMBERS = {"i4": "<i", "i8": "<q", "u4": "<I", "u8": "<Q", "f4": "<f", "f8": "<d", "b1": "<?"}


def parse(raw: bytes, subject: str) -> Any:
    """The value of a YAML text; `subject` names the text in errors."""
    if len(raw) > MAX_BYTES:
        raise UnsafeFileError(f"{subject} is too large", expected=f"{MAX_BYTES:,} bytes at most", found=f"{len(raw):,}")
    try:
        import yaml
    except ImportError:
        raise UnsupportedError(
            f"{subject} is YAML, which needs PyYAML", hint="pip install 'ckpttool[yaml]', or convert it to JSON"
        ) from None
    try:
        root = _loader(raw.decode("utf-8"), subject).get_single_node()
        return None if root is None else _Values(subject).value(root, MAX_DEPTH)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise CorruptFileError(f"{subject} is no valid YAML", found=str(error).split("\n")[0]) from error
    except RecursionError:
        raise too_deep(subject, MAX_DEPTH) from None


def _loader(text: str, subject: str) -> Any:
    """PyYAML's loader of plain data, which gives up at `MAX_TOKENS` tokens, and below `MAX_DEPTH` levels, each of which
    makes it slower."""
    import yaml

    class Bounded(yaml.SafeLoader):
        """A loader that counts the tokens that it reads."""

        left = MAX_TOKENS

        def fetch_more_tokens(self) -> Any:
            """Read one token more, or a few; raises UnsafeFileError when too many were read, or lie too deep."""
            self.left -= 1
            if self.left < 0:
                raise UnsafeFileError(f"{subject} holds too many elements", expected=f"{MAX_TOKENS:,} tokens at most")
            if self.flow_level + len(self.indents) > MAX_DEPTH:
                raise too_deep(subject, MAX_DEPTH)
            return super().fetch_more_tokens()

    return Bounded(text)


class _Values:
    """Turns YAML nodes into values. An anchor counts at every use, so that aliases of aliases cannot grow without
    end."""

    def __init__(self, subject: str) -> None:
        import yaml

        self._subject, self._left = subject, MAX_NODES
        self._scalars = yaml.SafeLoader("")

    def value(self, node: "yaml.Node", depth: int) -> Any:
        """The value of one node."""
        import yaml

        self._left -= 1
        if self._left < 0:
            raise UnsafeFileError(f"{self._subject} holds too many elements", expected=f"{MAX_NODES:,} at most")
        if not depth:
            raise too_deep(self._subject, MAX_DEPTH)
        if node.tag == _NUMPY_ARRAY:
            return self._numpy_array(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if node.tag == _NUMPY_SCALAR:
            return self._numpy_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth - 1) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: "yaml.Node", depth: int) -> dict[str, Any]:
        """The items of a mapping. Raises UnsafeFileError where a key is repeated, as readers differ on which counts."""
        items = {str(self.value(key, depth - 1)): self.value(item, depth - 1) for key, item in node.value}
        if len(items) < len(node.value):
            raise ambiguous(f"{self._subject} repeats a key within one mapping, of which readers take either")
        return items

    def _scalar(self, node: "yaml.Node") -> Any:
        if node.tag.startswith(f"{_PLAIN}python/") or not node.tag.startswith(_PLAIN):
            return None
        if node.tag in _NUMERIC and len(node.value) > MAX_NUMBER:
            raise UnsafeFileError(
                f"{self._subject} holds a number that is too long",
                expected=f"{MAX_NUMBER:,} characters at most",
                found=f"{len(node.value):,}",
            )
        return self._scalars.construct_object(node)

    def _numpy_scalar(self, node: "yaml.Node") -> Any:
        """The number that `[dtype, bytes]` stores, with the dtype as `args: [i8, ...]`; None where the node is anything
        else."""
        try:
            dtype, data = node.value
            return struct.unpack(_number(dtype), self._scalars.construct_object(data))[0]
        except _NOT_NUMPY:
            return None

    def _numpy_array(self, node: "yaml.Node") -> Any:
        """The items of an array stored as `state: [1, shape, dtype, in Fortran's order, bytes]`, a number where the
        array has no axes; None where the node is anything else. Every item counts as an element."""
        try:
            _, shape, dtype, transposed, data = dict(_items(node))["state"].value
            numbers = [scalars.digits(size.value) for size in shape.value]
            sizes = [size for size in numbers if size is not None]
            code, raw = _number(dtype), self._scalars.construct_object(data)
            count = math.prod(sizes)
            if self._scalars.construct_object(transposed) or len(sizes) < len(numbers) or len(sizes) > MAX_AXES:
                return None
            self._left -= count
            if self._left < 0:
                raise UnsafeFileError(f"{self._subject} holds too many elements", expected=f"{MAX_NODES:,} at most")
            return _nested(list(struct.unpack(f"<{count}{code[1:]}", raw)), sizes)
        except _NOT_NUMPY:
            return None


_NOT_NUMPY = (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error)


def _items(node: "yaml.Node") -> Iterator[tuple[str, Any]]:
    """The values of a mapping by the texts of their keys."""
    yield from ((key.value, item) for key, item in node.value)


def _number(dtype: "yaml.Node") -> str:
    """The `struct` format of a dtype that is stored as `args: [i8, ...]`, always little-endian, as Keras wrote it.
    Raises KeyError for any other dtype."""
    return _NUMBERS[dict(_items(dtype))["args"].value[0].value]


def _nested(items: list[Any], sizes: list[int]) -> Any:
    """Items in nested lists of these sizes, the one item where there are no axes."""
    if not sizes:
        return items[0]
    for size in reversed(sizes[1:]):
        items = [items[at : at + size] for at in range(0, len(items), size)] if size else []
    return items
