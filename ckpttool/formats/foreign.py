"""The error for a file that is no checkpoint, which names the kind of the file by its bytes."""

import re
import stat
from collections.abc import Callable
from pathlib import Path

from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError, UnknownFormatError, UnsupportedError
from ckpttool.io.sources import Source

_HEAD = 4096
_SEARCHED = 1 << 20  # bytes in which the first member of an archive begins
_SHORT = 8
_LEAST_RECORD = 16  # bytes: a length, two checksums
_LAST_ONNX = 32  # versions of its format that are taken for one

_NEVER_OPENED = "ckpttool never opens pickles: they can run code"

# (what the bytes are, how the first bytes look, what to do)
ARCHIVES: tuple[tuple[str, tuple[bytes, ...], str], ...] = (
    ("a gzip-compressed file", (b"\x1f\x8b",), "uncompress it first: gunzip"),
    ("a bzip2-compressed file", (b"BZh",), "uncompress it first: bunzip2"),
    ("an xz-compressed file", (b"\xfd7zXZ\0",), "uncompress it first: unxz"),
    ("a Zstandard-compressed file", (b"\x28\xb5\x2f\xfd",), "uncompress it first: unzstd"),
    ("a RAR archive", (b"Rar!\x1a\x07",), "unpack it first"),
    ("a 7-Zip archive", (b"7z\xbc\xaf\x27\x1c",), "unpack it first"),
)
BINARY_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")

_SIGNATURES = (
    ("a NumPy array (.npy)", (b"\x93NUMPY",), ""),
    *ARCHIVES,
    ("a PNG image", (b"\x89PNG\r\n",), ""),
    ("a JPEG image", (b"\xff\xd8\xff",), ""),
    ("a PDF document", (b"%PDF",), ""),
    ("a GGUF model", (b"GGUF",), ""),
    ("a program", (b"\x7fELF", b"MZ", b"#!"), "do not run it"),
    ("a SQLite database", (b"SQLite format 3\0",), ""),
    ("a Parquet file", (b"PAR1",), ""),
)

# Patterns are compiled where one is searched for, which most files need none of.
_TEXT_PICKLE = rb"(c[\w.]+\r?\n[\w.]+\r?\n[(p.)t0-9]|\([dlti](p\d|[\w.]+\n[\w.]+\n|\.))"  # protocols 0 and 1
_YAML_MODEL = r"(backend: \w+\s)?class_name: \w+\sconfig:|class_mode: \w+\slayers:"  # keys in the order of YAML
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")
_FETCH = "download the file itself, not the page about it"

_HDF5 = b"\x89HDF\r\n\x1a\n"
# The signatures of HDF5 and of zip as they come out of a transfer that changes line ends, or out of text.
_OTHER_LINE_ENDS = rb"\x89HDF[\r\n]{1,3}\x1a[\r\n]{1,3}"
_AS_TEXT = rb"^(\xef\xbb\xbf)?(\xef\xbf\xbd|\xc2\x89|\x89|\x09|\?)HDF[\r\n]{1,3}\x1a[\r\n]"
_REPLACED = b"\xef\xbf\xbd"  # what decoders of UTF-8 put in the place of a byte
_MANY = 8
_LINE_ENDS = "was mangled by a transfer in text mode, which changed line ends"
_TEXT_MODE = "transfer it again in binary mode, such as with scp, or with binary in ftp; for git see .gitattributes"
_NO_TEXT = "copy the file itself; opening it as text and saving that again destroys it"


def describe(source: Source) -> CheckpointError:
    """The error that names the kind of the content."""
    head = source.read(0, min(_HEAD, source.size))
    return (
        other_than_text(source)
        or _text(head, source)
        or UnknownFormatError(
            "is no checkpoint of Keras",
            expected=".keras, .weights.h5, .weights.json or .h5 content",
            found=f"{source.size:,} bytes that begin with {head[:8].hex(' ')}",
        )
    )


def other_than_text(source: Source) -> CheckpointError | None:
    """The error that names the kind of the content; None where it is not known, and for a text that may be a model's
    architecture. A pointer of git-lfs and a page of HTML are none."""
    if source.size == 0:
        return UnknownFormatError("is empty", hint="the save or the download never finished; make it again")
    head = source.read(0, min(_HEAD, source.size))
    error = next((error for test in _TESTS if (error := test(head, source))), None)
    if error is not None or not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return error
    from ckpttool.formats.documents import describe_other_json  # few files are another program's JSON

    return describe_other_json(source)


def lfs_pointer(source: Source) -> CheckpointError | None:
    """The error for a part of a checkpoint that git-lfs keeps and that was not fetched, None where it is none."""
    error = _lfs_pointer(source.read(0, min(_HEAD, source.size)), source)
    if error is not None:
        error.kind = "pointer"
    return error


def _lfs_pointer(head: bytes, _source: Source) -> CheckpointError | None:
    if not head.startswith(b"version https://git-lfs.github.com/spec/"):
        return None
    facts = dict(line.split(" ", 1) for line in head.decode("ascii", "replace").splitlines() if " " in line)
    return UnknownFormatError(
        "is a git-lfs pointer, not the file itself",
        expected=f"{facts.get('size', 'unknown').strip()} bytes of content, {facts.get('oid', 'no oid').strip()}",
        hint="run `git lfs pull`, or download the file itself",
    )


def damage_of_transfer(source: Source) -> CheckpointError | None:
    """The error that names the damage that a transfer did to a checkpoint, None where none is recognised."""
    head = source.read(0, min(source.size, _HEAD))
    as_text = re.match(_AS_TEXT, head) is not None and not head.startswith(b"\x89")
    if as_text or (head.startswith((b"PK", b"\xef\xbb\xbfPK")) and head.count(_REPLACED) >= _MANY):
        return CorruptFileError("was read as text and written again, which replaced bytes of it", hint=_NO_TEXT)
    start = source.read(0, min(source.size, _SEARCHED))
    match = re.search(_OTHER_LINE_ENDS, start)
    signature = match.group() if match and (match.start() == 0 or head.startswith(b"PK")) else b""
    if signature and not signature.startswith(_HDF5):
        return CorruptFileError(
            _LINE_ENDS,
            expected=f"the signature of HDF5, {_HDF5.hex(' ')}",
            found=signature.hex(" "),
            hint=_TEXT_MODE,
        )
    return _changed_line_ends(start) if head.startswith(b"PK") else None


def _changed_line_ends(start: bytes) -> CheckpointError | None:
    if _MANY <= start.count(b"\n") == start.count(b"\r\n"):
        return CorruptFileError(_LINE_ENDS, found="a carriage return before every line feed", hint=_TEXT_MODE)
    return None


def instead_of_protobuf(source: Source) -> CheckpointError | None:
    """The error that says why a file is no message of protobuf, None where it is not known."""
    start = source.read(0, min(source.size, _SEARCHED))
    if start.count(_REPLACED) >= _MANY:
        return CorruptFileError("was read as text and written again, which replaced bytes of it", hint=_NO_TEXT)
    damage = _changed_line_ends(start)
    if damage is not None or source.size == 0:
        return damage or describe(source)
    head = start[:_HEAD]
    return next(
        (error for test in (_page, _old_torch, _pickle, _signature, _text) if (error := test(head, source))), None
    )


def _is_html(head: bytes) -> bool:
    """Whether a page begins there, behind comments or not."""
    while (head := head.lstrip()).startswith(b"<!--"):
        head = head.partition(b"-->")[2]
    return head.lower().startswith(_HTML)


def _page(head: bytes, _source: Source) -> CheckpointError | None:
    if _is_html(head):
        return UnknownFormatError("is an HTML page", hint=_FETCH)
    if head.lstrip().startswith(b"<?xml") or head.lstrip().startswith(b"<Error>"):
        return UnknownFormatError("is an XML document", hint=_FETCH)
    return None


def _safetensors(head: bytes, source: Source) -> CheckpointError | None:
    size = int.from_bytes(head[:8], "little")
    if 2 <= size <= source.size - 8 and head[8:9] == b"{" and (b'"dtype"' in head or b'"__metadata__"' in head):
        return UnsupportedError("is a safetensors file", hint="ckpttool reads checkpoints of Keras")
    return None


def _pickle(head: bytes, _source: Source) -> CheckpointError | None:
    if not head.startswith(BINARY_PICKLE) and not re.match(_TEXT_PICKLE, head):
        return None
    return UnknownFormatError("is a pickle", expected="a checkpoint of Keras", hint=_NEVER_OPENED, kind="pickle")


def _signature(head: bytes, _source: Source) -> CheckpointError | None:
    for description, starts, hint in _SIGNATURES:
        if head.startswith(starts):
            return UnknownFormatError(f"is {description}", expected="a checkpoint of Keras", hint=hint)
    if head[257:262] == b"ustar":
        return UnknownFormatError("is a tar archive", expected="a checkpoint of Keras", hint="unpack it first")
    if head[4:8] == b"TFL3":
        return UnsupportedError("is a TensorFlow Lite model", hint="it holds no Keras weights")
    return None


def _record(head: bytes, source: Source) -> CheckpointError | None:
    """Records of TensorFlow, which begin with a length and its checksum (tensorflow/core/lib/io/record_writer.cc)."""
    from ckpttool.formats.tensorflow.crc32c import crc32c, masked

    if source.size < _LEAST_RECORD or int.from_bytes(head[:8], "little") > source.size - _LEAST_RECORD:
        return None
    if masked(crc32c(head[:8])) != int.from_bytes(head[8:12], "little"):
        return None
    if b"brain.Event:" in head[12:64]:
        return UnsupportedError("is a log of TensorBoard", hint="it holds no weights; name a checkpoint beside it")
    return UnsupportedError("is a file of TensorFlow records (TFRecord)", hint="it holds data, not a model")


def _frozen_graph(head: bytes, source: Source) -> CheckpointError | None:
    """A graph of TensorFlow by itself: nodes with a name and an operation (graph.proto, node_def.proto)."""
    text = re.match(rb"\s*node\s*\{\s*name\s*:", head)
    if not text and not re.match(
        rb"\x0a[\s\S]{1,4}\x0a([\x01-\x7f])[A-Za-z0-9.][ -~]{0,126}?\x12[\x01-\x40][A-Z_]", head
    ):
        return None
    hint = "what it holds of weights are constants without names of Keras; name the checkpoint that it was made from"
    return UnsupportedError(f"is a graph of TensorFlow {'as text' if text else '(GraphDef)'}", hint=hint)


def _keras_metadata(head: bytes, source: Source) -> CheckpointError | None:
    if b"_tf_keras_" not in head or head[:1] != b"\x0a":
        return None
    return FileAccessError(
        "is Keras's metadata of a TensorFlow SavedModel",
        expected="saved_model.pb beside it, and variables/",
        hint="copy the whole directory, and name it",
    )


def _protobuf(head: bytes, source: Source) -> CheckpointError | None:
    """Models that are one message of protobuf: ONNX begins with its version and its producer or graph, SavedModel with
    a version 1 and a graph (onnx.proto; saved_model.proto)."""
    if head[:1] != b"\x08" or len(head) < _SHORT or head[2:3] not in (b"\x12", b"\x3a", b"\x42"):
        return None
    if head[:3] == b"\x08\x01\x12" and b"\x0a" in head[4:9]:
        return UnsupportedError(
            "is the graph of a TensorFlow SavedModel under another name",
            expected="a file saved_model.pb beside its variables",
            hint="rename it, and name its directory",
        )
    if 1 <= head[1] <= _LAST_ONNX and (head[2] != 0x12 or head[4 : 4 + min(head[3], 3)].isalnum()):
        return UnsupportedError("is an ONNX model", hint="ckpttool reads checkpoints of Keras")
    return None


def _old_torch(head: bytes, _source: Source) -> CheckpointError | None:
    """PyTorch's format before 1.6: pickles, the first of which is a magic number."""
    if b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" in head[:32]:
        return UnsupportedError("is a PyTorch checkpoint", hint=_NEVER_OPENED, kind="pickle")
    return None


def _cut_hdf5(head: bytes, source: Source) -> CheckpointError | None:
    if head and b"\x89HDF\r\n\x1a\n".startswith(head[:8]):
        return CorruptFileError(
            "is truncated within its first bytes", found=f"{source.size} bytes", hint="fetch it again"
        )
    if head.startswith(b"PK\x03\x04"):
        return CorruptFileError(
            "is a zip archive cut off before its directory", found=f"{source.size:,} bytes", hint="fetch it again"
        )
    return None


def _text(head: bytes, source: Source) -> CheckpointError | None:
    try:
        start = head.decode("utf-8", "strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        return None
    if not all(char.isprintable() or char in "\ufeff\r\n\t" for char in start):
        return None
    if start.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        from ckpttool.formats.documents import describe_json  # few files are another program's JSON

        return describe_json(source, start)
    if re.match(_YAML_MODEL, start):
        from ckpttool.formats.documents import WEIGHTS_HINT

        return UnknownFormatError(
            "is the architecture of a model in YAML, not a checkpoint",
            expected="a checkpoint of Keras",
            hint=WEIGHTS_HINT,
        )
    return UnknownFormatError("is text", expected="a checkpoint of Keras", found=repr(start[:60]))


_TESTS: tuple[Callable[[bytes, Source], CheckpointError | None], ...] = (
    _lfs_pointer,
    lambda _head, source: damage_of_transfer(source),
    _page,
    _old_torch,
    _pickle,
    _signature,
    _safetensors,
    _cut_hdf5,
    _keras_metadata,
    _frozen_graph,
    _protobuf,
    _record,
)


def describe_zip(names: list[str]) -> CheckpointError:
    """The error that names what a zip archive is that is no `.keras`."""
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return UnsupportedError("is a PyTorch checkpoint", hint=_NEVER_OPENED, kind="pickle")
    if names and all(name.endswith(".npy") for name in names):
        return UnsupportedError(
            "is a NumPy archive (.npz)", expected="a .keras archive", hint="read it with numpy.load"
        )
    return UnknownFormatError(
        "is a zip archive, but no .keras",
        expected="members config.json and model.weights.h5",
        found=", ".join(names[:5]) or "no member at all",
    )


_OTHER_GRAPHS = {
    "saved_model.pbtxt": "whose graph is text",
    "saved_model.cpb": "whose graph is cut into chunks, as it is above 2 GB",
}
_AS_PB = "load it with TensorFlow and save it again with tf.saved_model.save"


def other_saved_model(name: str) -> UnsupportedError | None:
    """The error for the graph of a SavedModel in a form that is not read, by the name of its file; None for others."""
    form = _OTHER_GRAPHS.get(name)
    return UnsupportedError(f"is a TensorFlow SavedModel {form}", hint=_AS_PB) if form else None


def is_regular(path: Path) -> bool:
    """Whether the path is a regular file, links followed; False where the system does not say."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False
