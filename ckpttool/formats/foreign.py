"""What a file that is no checkpoint really is, told by its bytes, so that the error can say it."""

import re
import stat
from collections.abc import Callable
from pathlib import Path

from ckpttool.errors import CheckpointError, CorruptFileError, FileAccessError, UnknownFormatError, UnsupportedError
from ckpttool.files import Source

_HEAD = 4096

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
    (
        "an HDF5 file mangled by a transfer in text mode",
        (b"\x89HDF\n", b"\x89HDF\r\r"),
        "transfer it again in binary mode",
    ),
)

_TEXT_PICKLE = re.compile(  # protocols 0 and 1
    rb"(c[\w.]+\r?\n[\w.]+\r?\n[(p.)t0-9]|\([dlti](p\d|[\w.]+\n[\w.]+\n|\.))"
)
_HTML = re.compile(rb"^\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)", re.IGNORECASE | re.DOTALL)
_FETCH = "download the file itself, not the page about it"


def describe(source: Source) -> CheckpointError:
    """The error that names what the content is."""
    if source.size == 0:
        return UnknownFormatError("is empty", hint="the save or the download never finished; make it again")
    head = source.read(0, min(_HEAD, source.size))
    found = next((error for test in _TESTS if (error := test(head, source))), None)
    return found or UnknownFormatError(
        "is no checkpoint of Keras",
        expected=".keras, .weights.h5, .weights.json or .h5 content",
        found=f"{source.size:,} bytes that begin with {head[:8].hex(' ')}",
    )


def _lfs_pointer(head: bytes, _source: Source) -> CheckpointError | None:
    if not head.startswith(b"version https://git-lfs.github.com/spec/"):
        return None
    facts = dict(line.split(" ", 1) for line in head.decode("ascii", "replace").splitlines() if " " in line)
    return UnknownFormatError(
        "is a git-lfs pointer, not the file itself",
        expected=f"{facts.get('size', 'unknown').strip()} bytes of content, {facts.get('oid', 'no oid').strip()}",
        hint="run `git lfs pull`, or download the file itself",
    )


def _page(head: bytes, _source: Source) -> CheckpointError | None:
    if _HTML.match(head):
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
    if not head.startswith(BINARY_PICKLE) and not _TEXT_PICKLE.match(head):
        return None
    return UnknownFormatError("is a pickle", expected="a checkpoint of Keras", hint=_NEVER_OPENED, kind="pickle")


def _signature(head: bytes, _source: Source) -> CheckpointError | None:
    for what, starts, hint in _SIGNATURES:
        if head.startswith(starts):
            return UnknownFormatError(f"is {what}", expected="a checkpoint of Keras", hint=hint)
    if head[257:262] == b"ustar":
        return UnknownFormatError("is a tar archive", expected="a checkpoint of Keras", hint="unpack it first")
    if head[4:8] == b"TFL3":
        return UnsupportedError("is a TensorFlow Lite model", hint="it holds no Keras weights")
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


def _text(head: bytes, _source: Source) -> CheckpointError | None:
    try:
        start = head.decode("utf-8", "strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        return None
    if not all(char.isprintable() or char in "\r\n\t" for char in start):
        return None
    is_json = start.lstrip().startswith(("{", "["))
    what = "JSON, but no index of sharded weights" if is_json else "text"
    hint = "an architecture is no checkpoint: name the file of the weights" if is_json else ""
    return UnknownFormatError(f"is {what}", expected="a checkpoint of Keras", found=repr(start[:60]), hint=hint)


_TESTS: tuple[Callable[[bytes, Source], CheckpointError | None], ...] = (
    _lfs_pointer,
    _page,
    _old_torch,
    _pickle,
    _signature,
    _safetensors,
    _cut_hdf5,
    _text,
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


def is_tensorflow(path: Path) -> bool:
    """Whether a directory is a SavedModel or holds a checkpoint of TensorFlow."""
    return _is_saved_model(path) or any(path.glob("*.index"))


def _is_saved_model(path: Path) -> bool:
    return (path / "saved_model.pb").exists() or (path / "saved_model.pbtxt").exists()


def describe_directory(path: Path) -> CheckpointError:
    """The error that names what a directory is that is no checkpoint."""
    if is_tensorflow(path):
        what = "is a TensorFlow SavedModel" if _is_saved_model(path) else "holds a TensorFlow checkpoint"
        return UnsupportedError(what, path=str(path), hint="this version reads checkpoints in Keras's own formats")
    return FileAccessError(
        "is a directory, but no checkpoint",
        path=str(path),
        expected="config.json and model.weights.h5 in it",
        hint="name a file in it",
    )


def is_regular(path: Path) -> bool:
    """Whether the path is a regular file, links followed; False where it cannot be told."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False
