"""Where the architecture of a model can come from: a whole model, or a file with an architecture and nothing else."""

import os

from ckpttool.architecture import Architecture, read_architecture
from ckpttool.architecture.files import architecture_of_text
from ckpttool.errors import UnknownFormatError
from ckpttool.files import FileSource
from ckpttool.formats import open_checkpoint


def load_architecture(path: str | os.PathLike[str]) -> Architecture:
    """The architecture in a `.keras`, a whole-model `.h5`, or a `.json` or `.yaml`; told apart by content."""
    if not _is_text(path):
        with open_checkpoint(path) as checkpoint:
            found = read_architecture(checkpoint.config)
        if found is None:
            raise UnknownFormatError(
                "stores no architecture, only weights",
                path=os.fspath(path),
                expected="a whole model, or an architecture in JSON or YAML",
            )
        return found
    return architecture_of_text(path)


def _is_text(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds no byte that only binary files have in front."""
    if os.path.isdir(path):
        return False
    source = FileSource(path)
    try:
        head = source.read(0, min(source.size, 512))
    finally:
        source.close()
    return b"\0" not in head or head.lstrip(b"\xff\xfe\0")[:1] in (b"{", b"[")  # JSON may be UTF-16 or -32
