"""The whole tree of an HDF5 file: every group with its attributes, every dataset with shape, type and place.

One guarded walk that every HDF5 reader of ckpttool uses. Links of any kind but hard ones are refused, objects are
visited once however many names they have, and one damaged object does not hide its neighbours.
"""

import re
from dataclasses import dataclass, field

from ckpttool.checkpoint import Refusal
from ckpttool.errors import CheckpointError, CorruptFileError
from ckpttool.files import Source
from ckpttool.formats.hdf5.groups import Link, is_group, links
from ckpttool.formats.hdf5.heaps import GlobalHeap
from ckpttool.formats.hdf5.low import Hdf5Bytes, Message, read_header
from ckpttool.formats.hdf5.objects import Attributes, AttributeValue, Dataset, is_dataset, read_dataset

MAX_OBJECTS = 100_000
MAX_DEPTH = 4096
MAX_PATH_CHARS = 64 << 20
MAX_NAME = 4096

_LINK_REFUSALS = {"soft": "link", "user-defined": "link", "external": "external"}


@dataclass(slots=True)
class Tree:
    """An HDF5 file as read: groups and datasets by path (`""` is the root), in natural order, and what was refused."""

    file: Hdf5Bytes
    groups: dict[str, Attributes] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    attributes: dict[str, Attributes] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    def attribute(self, path: str, name: str) -> AttributeValue:
        """An attribute of the group or dataset at `path`; one that cannot be read is refused and counts as None."""
        owner = self.groups.get(path) or self.attributes.get(path)
        if owner is None:
            return None
        try:
            return owner.get(name)
        except CheckpointError as error:
            self.refuse(f"{path or '/'} attribute {name}", error)
            return None

    def text(self, path: str, name: str) -> str | None:
        """An attribute that should be one text; None where it is anything else."""
        value = self.attribute(path, name)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return value if isinstance(value, str) else None

    def refuse(self, place: str, error: CheckpointError) -> None:
        """Adds what an error says to the refusals, once."""
        refusal = Refusal.from_error(error, place)
        if refusal not in self.refusals:
            self.refusals.append(refusal)


def read_tree(source: Source) -> Tree:
    """The tree of the HDF5 file in `source`; raises where the file as a whole or the listing of a group is broken."""
    file = Hdf5Bytes(source)
    tree = Tree(file)
    if file.trailing > 0 and _meaningful(source, file):
        tree.refusals.append(
            Refusal("ambiguous", "", f"{file.trailing:,} bytes follow the end of the HDF5 data and belong to nobody")
        )
    if file.start:
        tree.refusals.append(Refusal("ambiguous", "", f"{file.start:,} bytes stand before the HDF5 data"))
    _Walk(tree).run()
    return tree


def _meaningful(source: Source, file: Hdf5Bytes) -> bool:
    """Whether the bytes behind the end are more than padding."""
    tail = min(file.trailing, 4096)
    return source.read(source.size - tail, tail).strip(b"\0") != b""


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A sort key by which runs of digits count by value: `2` before `10`, `dense_2` before `dense_10`."""
    parts = _DIGITS.split(name)
    return [(0, int(part[:18]), part) if part.isdigit() and part.isascii() else (1, 0, part) for part in parts if part]


_DIGITS = re.compile(r"([0-9]+)")


class _Walk:
    """One walk over a file, depth first, without recursion."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self._file = tree, tree.file
        self._heap = GlobalHeap(tree.file)
        self._names: dict[int, str] = {}  # the first path of each object address
        self._path_chars = 0

    def run(self) -> None:
        """Fills the tree from the root on."""
        root = read_header(self._file, self._file.root)
        self._names[self._file.root] = ""
        if not is_group(root):
            raise CorruptFileError("has no root group", hint="fetch the file again")
        self._tree.groups[""] = Attributes(self._file, self._heap, root)
        stack = self._children("", 0, root)
        while stack:
            path, depth, link = stack.pop()
            if not self._room(path):
                return
            messages = self._open(path, depth, link)
            if messages is not None and is_group(messages):
                self._tree.groups[path] = Attributes(self._file, self._heap, messages)
                stack.extend(self._children(path, depth, messages))

    def _children(self, path: str, depth: int, messages: list[Message]) -> list[tuple[str, int, Link]]:
        """The links of a group, last first, as the stack wants them."""
        prefix = f"{path}/" if path else ""
        try:
            found = links(self._file, messages)
        except CheckpointError as error:
            raise error.at(where=f"group {path or '/'}")
        if len(found) > 1:
            found.sort(key=lambda link: natural_key(link.name), reverse=True)
        return [(prefix + link.name, depth + 1, link) for link in found]

    def _room(self, path: str) -> bool:
        """Whether the listing may go on; says so once when it may not."""
        self._path_chars += len(path)
        if len(self._names) < MAX_OBJECTS and self._path_chars < MAX_PATH_CHARS:
            return True
        self._tree.refusals.append(
            Refusal("bomb", path[:200], f"more than {MAX_OBJECTS:,} objects or {MAX_PATH_CHARS:,} characters of names")
        )
        return False

    def _open(self, path: str, depth: int, link: Link) -> list[Message] | None:
        """The header of a linked object, or None when it was refused, seen before, or a dataset already noted."""
        refusal = self._refused(path, depth, link)
        if refusal is not None:
            self._tree.refusals.append(refusal)
            return None
        self._names[link.address] = path
        try:
            messages = read_header(self._file, link.address)
            if is_group(messages):
                return messages
            self._note(path, messages)
        except CheckpointError as error:
            self._tree.refuse(path, error)
        return None

    def _refused(self, path: str, depth: int, link: Link) -> Refusal | None:
        if link.kind != "hard":
            return Refusal(_LINK_REFUSALS[link.kind], path, f"{link.kind} link to {link.target}, not followed")
        if link.address in self._names:
            return Refusal("link", path, f"a second name of /{self._names[link.address]}, listed once")
        if not link.name or "/" in link.name or link.name in (".", "..") or len(link.name) > MAX_NAME:
            return Refusal("name", path[:200], "a name that no HDF5 writer gives, not followed")
        if depth > MAX_DEPTH:
            return Refusal("bomb", path[:200], f"groups nested more than {MAX_DEPTH:,} deep, not followed")
        return None

    def _note(self, path: str, messages: list[Message]) -> None:
        if is_dataset(messages):
            self._tree.datasets[path] = read_dataset(self._file, messages)
            self._tree.attributes[path] = Attributes(self._file, self._heap, messages)
