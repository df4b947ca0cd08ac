"""YAML from strangers, as Keras 0 to 2.5 wrote architectures (`model.to_yaml()`): data only, size and nesting bounded.

The text is parsed into nodes and never into objects: a tag can ask for nothing. Tuples become lists; the NumPy scalars
that Keras 1 let slip in are decoded from their bytes; any other object of Python stands as None.
"""

import struct
from typing import TYPE_CHECKING, Any

from ckpttool.errors import CorruptFileError, UnsafeFileError, UnsupportedError

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 4 << 20
MAX_NODES = 200_000
MAX_DEPTH = 200

_TUPLE = "tag:yaml.org,2002:python/tuple"
_NUMPY_SCALAR = "tag:yaml.org,2002:python/object/apply:numpy.core.multiarray.scalar"
_PLAIN = "tag:yaml.org,2002:"
_NUMBERS = {"i4": "<i", "i8": "<q", "u4": "<I", "u8": "<Q", "f4": "<f", "f8": "<d", "b1": "<?"}


def parse(raw: bytes, what: str) -> Any:
    """The value of a YAML text; `what` names it in errors."""
    if len(raw) > MAX_BYTES:
        raise UnsafeFileError(f"{what} is too large", expected=f"{MAX_BYTES:,} bytes at most", found=f"{len(raw):,}")
    try:
        import yaml
    except ImportError:
        raise UnsupportedError(
            f"{what} is YAML, which needs PyYAML", hint="pip install 'ckpttool[yaml]', or convert it to JSON"
        ) from None
    try:
        root = yaml.compose(raw.decode("utf-8"), Loader=yaml.SafeLoader)
        return None if root is None else _Values(what).value(root, MAX_DEPTH)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise CorruptFileError(f"{what} is no valid YAML", found=str(error).split("\n")[0]) from error
    except RecursionError:
        raise _too_deep(what) from None


def _too_deep(what: str) -> UnsafeFileError:
    return UnsafeFileError(f"{what} is nested too deeply", expected=f"{MAX_DEPTH} levels at most")


class _Values:
    """Turns nodes into values. An anchor counts at every use, so that aliases of aliases cannot grow without end."""

    def __init__(self, what: str) -> None:
        import yaml

        self._what, self._left = what, MAX_NODES
        self._scalars = yaml.SafeLoader("")

    def value(self, node: "yaml.Node", depth: int) -> Any:
        """The value of one node."""
        import yaml

        self._left -= 1
        if self._left < 0:
            raise UnsafeFileError(f"{self._what} holds too many elements", expected=f"{MAX_NODES:,} at most")
        if not depth:
            raise _too_deep(self._what)
        if isinstance(node, yaml.MappingNode):
            return {str(self.value(key, depth - 1)): self.value(item, depth - 1) for key, item in node.value}
        if node.tag == _NUMPY_SCALAR:
            return self._numpy_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth - 1) for item in node.value]
        return self._scalar(node)

    def _scalar(self, node: "yaml.Node") -> Any:
        if node.tag.startswith(f"{_PLAIN}python/") or not node.tag.startswith(_PLAIN):
            return None
        return self._scalars.construct_object(node)

    def _numpy_scalar(self, node: "yaml.Node") -> Any:
        """A number kept as `[dtype, bytes]`, the dtype as `args: [i8, ...]`; None where it is anything else."""
        try:
            dtype, data = node.value
            fields = {key.value: item for key, item in dtype.value}
            code = _NUMBERS[fields["args"].value[0].value]
            return struct.unpack(code, self._scalars.construct_object(data))[0]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error):
            return None
