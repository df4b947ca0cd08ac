"""The whole tree of an HDF5 file: every group with its attributes, every dataset with shape, type and place.

One guarded walk that every HDF5 reader of ckpttool uses. Links of any kind but hard ones are refused, objects are
visited once however many names they have, and one damaged object does not hide its neighbours.
"""

from dataclasses import dataclass, field

from ckpttool.checkpoint import Refusal
from ckpttool.errors import CheckpointError, CorruptFileError, UnsupportedError, ambiguous
from ckpttool.formats.hdf5.attributes import Attributes, AttributeValue
from ckpttool.formats.hdf5.groups import MAX_NAME, SYMBOL_TABLE, Link, is_group, links
from ckpttool.formats.hdf5.headers import UNDEFINED, Hdf5Bytes, Header, read_header, unfinished
from ckpttool.formats.hdf5.heaps import GlobalHeap
from ckpttool.formats.hdf5.objects import Dataset, is_dataset, is_named_type, read_dataset
from ckpttool.formats.hdf5.signature import other_signature
from ckpttool.io.budget import steps_of_text
from ckpttool.io.natural_order import natural_key
from ckpttool.io.sources import Source

MAX_DEPTH = 4096
_OBJECT_STEPS = 30  # what a group or dataset costs of the budget
MAX_REPEATED = 16  # times the file, in declared bytes, of datasets that share their bytes with others

_DRIVER, _CACHE_IMAGE = 0x14, 0x18  # messages behind a superblock
_SCANNED = 1 << 20  # bytes outside the HDF5 data up to which all are looked at

_LINK_REFUSALS = {"soft": "link", "user-defined": "link", "external": "external"}


@dataclass(slots=True)
class Tree:
    """An HDF5 file as read: groups and datasets by path (`""` is the root), in natural order. What is refused of it,
    now or when an attribute is asked for, is added to `refusals`, which may be those of a whole checkpoint."""

    file: Hdf5Bytes
    refusals: list[Refusal]
    groups: dict[str, Attributes] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    attributes: dict[str, Attributes] = field(default_factory=dict)
    _refused_once: set[Refusal] = field(default_factory=set)

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
        """Add the refusal of an error, once."""
        refusal = Refusal.from_error(error, place)
        if refusal not in self._refused_once:
            self._refused_once.add(refusal)
            self.refusals.append(refusal)


def read_tree(source: Source, refusals: list[Refusal] | None = None) -> Tree:
    """The tree of the HDF5 file in `source`, which adds to `refusals`; raises where the file as a whole or the listing
    of a group is broken."""
    file = Hdf5Bytes(source)
    _require_plain(file)
    tree = Tree(file, [] if refusals is None else refusals)
    _refuse_foreign(tree, source, file.start + file.end, file.trailing, "bytes follow the end of the HDF5 data")
    _refuse_foreign(tree, source, 0, file.start, "bytes stand before the HDF5 data")
    _Walk(tree).run()
    _refuse_second(tree, source)
    return tree


def _require_plain(file: Hdf5Bytes) -> None:
    """Raise where the superblock goes on with an image of the cache, whose parts some readers see in place of those of
    the file, or with the description of several files."""
    if file.superblock.extension == UNDEFINED:
        return
    extension = read_header(file, file.superblock.extension)
    if _CACHE_IMAGE in extension:
        raise ambiguous("holds an image of libhdf5's cache, which other readers do not look into")
    if _DRIVER in extension:
        raise UnsupportedError("HDF5 spread over several files by a driver", hint="merge it with h5repack first")


def _refuse_second(tree: Tree, source: Source) -> None:
    """Note another superblock where readers look for one."""
    second = other_signature(source, tree.file.start)
    if second >= 0:
        detail = f"a second HDF5 file begins at byte {second:,}; the one at byte {tree.file.start:,} is read"
        tree.refusals.append(Refusal("ambiguous", "", detail))


def _refuse_foreign(tree: Tree, source: Source, start: int, size: int, description: str) -> None:
    """Note bytes outside the HDF5 data, where a second file can hide; zeros are padding."""
    if size > _SCANNED or source.read(start, size).strip(b"\0"):
        tree.refusals.append(Refusal("foreign", "", f"{size:,} {description} and belong to nobody"))


class _Walk:
    """One walk over a file, depth first, without recursion."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self._file = tree, tree.file
        self._heap = GlobalHeap(tree.file)
        self._names: dict[int, str] = {}  # the first path of each object address
        self._refused_once = self._claimed = 0

    def run(self) -> None:
        """Fill the tree from the root on."""
        if not any(self._file.read(self._file.root, 16)):
            raise unfinished()
        root = read_header(self._file, self._file.root)
        if not is_group(root):
            raise CorruptFileError("has no root group", hint="fetch the file again")
        _require_one_kind(root, self._file.superblock.table)
        self._names[self._file.root] = ""
        stack = self._enter("", 0, root)
        while stack:
            prefix, depth, link = stack.pop()
            path = prefix + link.name
            if not self._room(path):
                return
            refusal = self._refused(path, depth, link)
            if refusal is not None:
                self._tree.refusals.append(refusal)
            elif link.address in self._names:
                self._repeat(path, self._names[link.address])
            else:
                group = self._open(path, link)
                if group is not None:
                    stack += self._enter(path, depth, group)

    def _enter(self, path: str, depth: int, group: Header) -> list[tuple[str, int, Link]]:
        """Note a group; its links, last first, as the stack wants them, each with the path before its name."""
        self._tree.groups[path] = attributes = Attributes(self._file, self._heap, group)
        self._judge(path, attributes)
        prefix = f"{path}/" if path else ""
        try:
            group_links = list(links(self._file, group))
        except CheckpointError as error:
            error.where = ", ".join(filter(None, (f"group {path or '/'}", error.where)))
            raise
        if len(group_links) > 1:
            if len({link.name for link in group_links}) < len(group_links):
                group_links = self._once(prefix, group_links)
            group_links.sort(key=lambda link: natural_key(link.name), reverse=True)
        return [(prefix, depth + 1, link) for link in group_links]

    def _once(self, prefix: str, group_links: list[Link]) -> list[Link]:
        """The links of a group without those whose names stand there before, which are refused."""
        by_name = dict[str, Link]()
        for link in group_links:
            if by_name.setdefault(link.name, link) is not link:
                detail = "the name stands twice in its group; only one of the two is listed"
                self._tree.refusals.append(Refusal("ambiguous", prefix + link.name, detail))
        return list(by_name.values())

    def _judge(self, path: str, attributes: Attributes) -> None:
        """Refuse attributes that are too many or too large for a checkpoint, which are read all the same, and those
        that readers see differently, which are not."""
        if attributes.are_few:
            return
        try:
            excess = attributes.oversized()
            if not excess:
                attributes.check()
        except CheckpointError as error:
            self._tree.refuse(f"{path or '/'} attributes", error)
            return
        if excess:
            self._tree.refusals.append(Refusal("bomb", path or "/", excess))

    def _room(self, path: str) -> bool:
        """Whether the listing may go on; refuse the rest where it may not."""
        if self._file.budget.affords(_OBJECT_STEPS + steps_of_text(path)):
            return True
        detail = "more objects or longer names than a file of its size is worth"
        self._tree.refusals.append(Refusal("bomb", path[:200], f"{detail}; the listing ends here"))
        return False

    def _refused(self, path: str, depth: int, link: Link) -> Refusal | None:
        """The refusal of a link that is not followed, None of one that is."""
        if link.kind != "hard":
            return Refusal(_LINK_REFUSALS[link.kind], path, f"{link.kind} link to {link.target}, not followed")
        if not link.name or "/" in link.name or link.name in (".", "..") or len(link.name) > MAX_NAME:
            return Refusal("name", path[:200], "a name that no HDF5 writer gives, not followed")
        if link.is_astray:
            return Refusal("ambiguous", path, "the name is out of order in its group, where not every reader finds it")
        if depth > MAX_DEPTH:
            return Refusal("bomb", path[:200], f"groups nested more than {MAX_DEPTH:,} deep, not followed")
        return None

    def _repeat(self, path: str, first: str) -> None:
        """Lists a dataset that has been listed under another name, as tied weights have; groups are listed once."""
        dataset = self._tree.datasets.get(first)
        if dataset is None:
            self._tree.refusals.append(Refusal("repeat", path, f"a second name of /{first}, listed once"))
            return
        self._refused_once += dataset.nbytes
        if self._refused_once > MAX_REPEATED * self._file.end:
            self._tree.refusals.append(Refusal("bomb", path, f"a second name of /{first}, one of too many"))
            return
        self._tree.datasets[path] = dataset
        self._tree.attributes[path] = self._tree.attributes[first]

    def _note(self, path: str, dataset: Dataset, attributes: Attributes) -> None:
        """Lists a dataset, unless those before it have claimed the bytes of the file too many times over."""
        if dataset.layout.kind == "contiguous" and dataset.layout.address != UNDEFINED:
            self._claimed += dataset.nbytes
            if self._claimed > MAX_REPEATED * self._file.end and dataset.nbytes <= self._file.end:
                self._tree.refusals.append(Refusal("bomb", path, "shares its bytes with others, one of too many"))
                return
        self._judge(path, attributes)
        self._tree.datasets[path] = dataset
        self._tree.attributes[path] = attributes

    def _open(self, path: str, link: Link) -> Header | None:
        """The header of the object if it is a group; a dataset is noted, anything broken is refused."""
        self._names[link.address] = path
        try:
            header = read_header(self._file, link.address)
            if is_group(header):
                _require_one_kind(header, link.table)
                return header
            if is_dataset(header):
                self._note(path, read_dataset(self._file, header), Attributes(self._file, self._heap, header))
            elif not is_named_type(header):
                raise CorruptFileError("is neither a group nor a dataset")
        except CheckpointError as error:
            self._tree.refuse(path, error)
        return None


def _require_one_kind(header: Header, table: bytes) -> None:
    """Raise where a group is a dataset to another reader, or where its entry in the group above, or in the superblock,
    leads to another `table` of names than its own header.

    A group that has become one of the new kind has no table, and its entry an old one.
    """
    if is_dataset(header) or is_named_type(header):
        raise ambiguous("is a group and a dataset at once")
    if table and SYMBOL_TABLE in header and header[SYMBOL_TABLE][0][1][:16] != table:
        raise CorruptFileError("the entry of a group and its own header name different tables of names")
