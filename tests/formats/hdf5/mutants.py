"""HDF5 files in which something stands twice, elsewhere or otherwise: good ones after surgery."""

import random
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import h5py
import numpy as np

from tests.formats.hdf5.small_files import written
from tests.formats.hdf5.surgery import (
    ATTRIBUTE,
    ATTRIBUTE_INFO,
    CONTINUATION,
    LAYOUT,
    LINK,
    LINK_INFO,
    SPACE,
    TABLE,
    Message,
    Patient,
    addresses,
    checksum,
    compact_links,
    dense_attributes,
    dense_links,
    text_attribute,
)


def legacy(file: h5py.File) -> None:
    """A small whole model as Keras 2 stores it."""
    file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
    file.attrs["model_config"] = '{"class_name": "Sequential", "config": {"name": "s", "layers": []}}'
    weights = file.create_group("model_weights")
    weights.attrs["layer_names"] = np.array([b"dense", b"bn"])
    for layer, names in (("dense", ["kernel", "bias"]), ("bn", ["gamma", "beta", "mean"])):
        group = weights.create_group(layer)
        group.attrs["weight_names"] = np.array([f"{layer}/{name}:0".encode() for name in names])
        for number, name in enumerate(names):
            group[f"{layer}/{name}:0"] = np.arange(4, dtype="<f4") + 10 * number


def path_layout(file: h5py.File) -> None:
    """Small weights as Keras 3 stores them."""
    for number, name in enumerate(("dense", "dense_1", "batch_normalization")):
        group = file.create_group(f"layers/{name}/vars")
        group.attrs["name"] = name
        group["0"] = np.arange(6, dtype="<f4").reshape(2, 3) + number
        group["1"] = np.full(3, number, "<f8")
    file.create_group("vars")


def many(file: h5py.File) -> None:
    """Many names and attributes, which newer files keep in heaps, and a fill value."""
    for number in range(24):
        file[f"layers/dense_{number}/vars/0"] = np.float32(number)
    for number in range(12):
        file["layers"].attrs[f"attribute {number}"] = f"text {number}"
        file.attrs[f"number {number}"] = number
    file.create_dataset("layers/unwritten", (4,), "<i4", fillvalue=7)
    file.create_dataset("layers/chunked", data=np.arange(20), chunks=(5,), compression="gzip")


WRITERS = (legacy, path_layout, many)
VERSIONS = ("earliest", "v108", "latest")


@dataclass(frozen=True)
class Seed:
    """A good file and where its objects are."""

    data: bytes
    places: dict[str, int]


@cache
def seeds() -> list[Seed]:
    """The good files."""
    seeds = [written(version, writer) for writer in WRITERS for version in VERSIONS]
    return [Seed(data, addresses(data)) for data in seeds]


@dataclass
class Case:
    """A file under change, with the dice."""

    file: Patient
    places: dict[str, int]
    rng: random.Random

    def place(self) -> int:
        """The address of any object."""
        return self.rng.choice(list(self.places.values()))

    def messages(self, place: int) -> list[Message]:
        """Its messages; none where an earlier change has broken them."""
        try:
            return self.file.messages(place)
        except (struct.error, IndexError, OverflowError):
            return []

    def find(self, mark: bytes) -> int:
        """The address of any structure with this mark, or -1."""
        data, places = bytes(self.file.data), []
        at = data.find(mark)
        while at >= 0:
            places.append(at)
            at = data.find(mark, at + 1)
        return self.rng.choice(places) if places else -1


def bent(body: bytes, rng: random.Random) -> bytes:
    """Bytes with one of them changed."""
    if not body:
        return b"\1"
    at = rng.randrange(len(body))
    return body[:at] + bytes([rng.choice((0, 1, 2, 3, 0xFF, body[at] ^ 1, rng.randrange(256)))]) + body[at + 1 :]


def duplicate(case: Case) -> None:
    """A message of an object stands twice, the second as it is, bent, or that of another object."""
    place = case.place()
    messages = case.messages(place)
    if not messages:
        return
    message = case.rng.choice(messages)
    others = [other for other in case.messages(case.place()) if other.kind == message.kind]
    again = case.rng.choice([message, message._replace(body=bent(message.body, case.rng)), *others])
    messages.insert(case.rng.randrange(len(messages) + 1), again)
    case.file.rewrite(place, messages)


def replace(case: Case) -> None:
    """A message of an object is that of another object, bent, of another kind, or gone."""
    place = case.place()
    messages = case.messages(place)
    if not messages:
        return
    at = case.rng.randrange(len(messages))
    kind = case.rng.randrange(4)
    if kind == 0:
        others = [other for other in case.messages(case.place()) if other.kind == messages[at].kind]
        messages[at] = case.rng.choice([*others, messages[at]])
    elif kind == 1:
        messages[at] = messages[at]._replace(body=bent(messages[at].body, case.rng))
    elif kind == 2:
        messages[at] = messages[at]._replace(kind=case.rng.choice((1, 2, 3, 4, 5, 6, 8, 12, 16, 17, 21, 22, 24, 99)))
    else:
        del messages[at]
    case.file.rewrite(place, messages)


def splice(case: Case) -> None:
    """An object gets messages of another object beside its own, or its flags are others, or their order."""
    place = case.place()
    messages = case.messages(place)
    kind = case.rng.randrange(3)
    if kind == 0:
        more = case.messages(case.place())
        messages += case.rng.sample(more, case.rng.randrange(len(more) + 1))
    elif kind == 1 and messages:
        at = case.rng.randrange(len(messages))
        messages[at] = messages[at]._replace(flags=messages[at].flags ^ 1 << case.rng.randrange(8))
    case.rng.shuffle(messages)
    case.file.rewrite(place, messages)


def store_attributes_elsewhere(case: Case) -> None:
    """Attributes of an object stand in a heap, in its place or beside those of the header, with other values or not."""
    place = case.place()
    messages = case.messages(place)
    inside = [message.body for message in messages if message.kind == ATTRIBUTE]
    names = ("model_config", "name", "keras_version", "new")
    attributes = [text_attribute(name, f"evil {case.rng.randrange(9)}") for name in case.rng.sample(names, 2)]
    bodies = case.rng.choice((inside or attributes, attributes, [*attributes, *inside], [attributes[0]]))
    remaining = [m for m in messages if m.kind != ATTRIBUTE_INFO and (case.rng.random() < 0.5 or m.kind != ATTRIBUTE)]
    try:
        case.file.rewrite(place, [*remaining, dense_attributes(case.file, bodies)])
    except struct.error:
        return


def store_links_elsewhere(case: Case) -> None:
    """Links of a group stand in its header or in a heap, beside its table or without, leading elsewhere or not."""
    groups = [place for place in case.places.values() if _is_group(case.messages(place))]
    if not groups:
        return
    place = case.rng.choice(groups)
    messages = case.messages(place)
    parent = next(path for path, at in case.places.items() if at == place)
    inside = {
        path.rpartition("/")[2]: at for path, at in case.places.items() if path and path.rpartition("/")[0] == parent
    }
    for name in list(inside):
        if case.rng.random() < 0.2:
            inside[name] = case.place()
    if case.rng.random() < 0.3:
        inside["new"] = case.place()
    make_messages = (lambda: [dense_links(case.file, inside)]) if case.rng.random() < 0.5 and inside else (
        lambda: compact_links(inside)
    )  # fmt: skip
    remaining = [m for m in messages if m.kind not in (TABLE, LINK, LINK_INFO) or case.rng.random() < 0.4]
    new = make_messages()
    if case.rng.random() < 0.2:
        new = [message for message in new if message.kind != LINK_INFO]
    case.file.rewrite(place, [*remaining, *new])


def _is_group(messages: list[Message]) -> bool:
    return any(message.kind in (TABLE, LINK_INFO) for message in messages)


def entries(case: Case) -> None:
    """Entries of a table of names are twice there, in another order, lead elsewhere, or have another name."""
    at = case.find(b"SNOD")
    if at < 0:
        return
    data = case.file.data
    count = int.from_bytes(data[at + 6 : at + 8], "little")
    entries = [bytes(data[at + 8 + 40 * n : at + 48 + 40 * n]) for n in range(count)]
    if not entries:
        return
    one, other = case.rng.randrange(count), case.rng.randrange(count)
    kind = case.rng.randrange(6)
    if kind == 0:
        entries.insert(one, entries[other])
    elif kind == 1:
        entries[one], entries[other] = entries[other], entries[one]
    elif kind == 2:
        entries[one] = entries[one][:8] + struct.pack("<Q", case.place()) + entries[one][16:]
    elif kind == 3:
        entries[one] = entries[other][:8] + entries[one][8:]
    elif kind == 4:
        entries[one] = entries[one][:16] + bent(entries[one][16:], case.rng)
    else:
        del entries[one]
    entries = entries[:8]
    data[at + 6 : at + 8] = len(entries).to_bytes(2, "little")
    data[at + 8 : at + 8 + 40 * len(entries)] = b"".join(entries)


def tree(case: Case) -> None:
    """The tree of a table of names has other keys, fewer children, or a child that belongs to another tree."""
    at = case.find(b"TREE\0")
    if at < 0:
        return
    data, used = case.file.data, int.from_bytes(case.file.data[at + 6 : at + 8], "little")
    kind, number = case.rng.randrange(4), case.rng.randrange(max(1, used))
    if kind == 0:
        case.file.set_number(at + 24 + 16 * case.rng.randrange(used + 1), case.rng.randrange(0, 64, 8))
    elif kind == 1 and used:
        data[at + 6 : at + 8] = (used - 1).to_bytes(2, "little")
    elif kind == 2:
        other = case.find(b"SNOD")
        case.file.set_number(at + 32 + 16 * number, other)
    else:
        other = case.find(b"TREE\0")
        data[at + 24 : at + 24 + 16 * used + 8] = data[other + 24 : other + 24 + 16 * used + 8]


def names(case: Case) -> None:
    """A name in the heap of a table is another name."""
    at = case.find(b"HEAP")
    if at < 0:
        return
    place = case.file.number(at + 24) + 8 * case.rng.randrange(1, 6)
    case.file.data[place : place + 8] = case.rng.choice(
        (b"dense\0\0\0", b"0\0\0\0\0\0\0\0", b"\0" * 8, b"zzz\0\0\0\0\0")
    )


def index(case: Case) -> None:
    """The index of a heap has other checksums or another order, or is cut short; its own checksum is right."""
    at, head = case.find(b"BTLF"), case.find(b"BTHD")
    if at < 0:
        return
    data = case.file.data
    width = int.from_bytes(data[head + 10 : head + 12], "little")
    count = int.from_bytes(data[head + 24 : head + 26], "little")
    entries = [bytes(data[at + 6 + width * n : at + 6 + width * (n + 1)]) for n in range(count)]
    one, other = case.rng.randrange(count), case.rng.randrange(count)
    kind = case.rng.randrange(3)
    if kind == 0:
        entries[one], entries[other] = entries[other], entries[one]
    elif kind == 1:
        entries[one] = entries[other]
    else:
        entries[one] = bent(entries[one], case.rng)
    end = at + 6 + width * count
    data[at + 6 : end] = b"".join(entries)
    if case.rng.random() < 0.9:
        data[end : end + 4] = checksum(data[at:end])


def superblock(case: Case) -> None:
    """The superblock leads elsewhere, or a second file stands before or behind the file."""
    file, kind = case.file, case.rng.randrange(6)
    other = case.rng.choice(seeds()).data
    size = 512
    while size < len(file.data):
        size *= 2
    if kind == 0:
        file.data[:] = bytes(file.data).ljust(size, b"\0") + other
    elif kind == 1:
        file.data[:] = other.ljust(max(size, 1 << 16), b"\0") + file.data
    elif kind == 2:
        file.data[:] = bytes(case.rng.choice((512, 1024, 2048, 700))) + file.data
    elif kind == 3:
        at = 36 if file.version > 1 else 64 + 4 * file.version
        file.set_number(at, case.place())
        file.seal()
    elif kind == 4 and file.version < 2:
        file.set_number(80 + 8 * case.rng.randrange(2), case.find(case.rng.choice((b"TREE", b"HEAP"))))
    else:
        file.set_end(file.end + case.rng.choice((-8, -100, 8, 100, 4096)))


def continuation(case: Case) -> None:
    """The messages of an object go on in a block that overlaps itself, belongs to another object, or never ends."""
    place, kind = case.place(), case.rng.randrange(3)
    messages = case.messages(place)
    if kind == 0:
        other = case.place()
        block = 16 if case.file.data[other] == 1 else 0
        case.file.continue_at(place, other + block, case.rng.choice((24, 48, 96)))
    elif kind == 1:
        onward = Message(CONTINUATION, struct.pack("<QQ", len(case.file.data) + 8, 64))
        case.file.rewrite(place, [*messages, onward])
    else:
        half = len(messages) // 2
        case.file.rewrite(place, messages[:half])
        end = case.file.end
        onward = Message(CONTINUATION, struct.pack("<QQ", end - case.rng.choice((24, 48, 0)), 64))
        case.file.rewrite(place, [*messages[half:], onward])


def heap_objects(case: Case) -> None:
    """Objects of the global heap, where texts stand, have each other's numbers or sizes."""
    at = case.find(b"GCOL")
    if at < 0:
        return
    places, place, end = [], at + 16, at + case.file.number(at + 8)
    while place + 16 <= end and int.from_bytes(case.file.data[place : place + 2], "little"):
        places.append(place)
        place += 16 + -(-case.file.number(place + 8) // 8) * 8
    if not places:
        return
    one, other = case.rng.choice(places), case.rng.choice(places)
    if case.rng.random() < 0.6:
        case.file.data[one : one + 2] = case.file.data[other : other + 2]
    else:
        case.file.set_number(one + 8, case.file.number(one + 8) + case.rng.choice((-8, -1, 1, 8)))


def values(case: Case) -> None:
    """A dataset has the values, the shape or the layout of another one, or a size that does not fit."""
    place = case.place()
    messages, others = case.messages(place), case.messages(case.place())
    for kind in case.rng.sample((SPACE, LAYOUT, 3, 5, 4), 2):
        same_kind = [message for message in others if message.kind == kind]
        if same_kind:
            messages = [*(m for m in messages if m.kind != kind), *same_kind]
    case.file.rewrite(place, messages)


def structure(case: Case) -> None:
    """A structure stands in the place of another one of its kind."""
    mark, size = case.rng.choice(((b"SNOD", 328), (b"HEAP", 32), (b"TREE", 64), (b"BTLF", 300), (b"FRHP", 146)))
    one, other = case.find(mark), case.find(mark)
    if one >= 0 and other >= 0:
        case.file.data[one : one + size] = case.file.data[other : other + size]


def move(case: Case) -> None:
    """Swap links, so that a link to one object leads to another, or an object has two places."""
    one, other = case.place(), case.place()
    if case.rng.random() < 0.5:
        case.file.replace_address(one, other)
    else:
        size = case.rng.choice((64, 272, 512))
        case.file.replace_address(one, case.file.append(bytes(case.file.data[one : one + size])))


CHANGES: tuple[Callable[[Case], None], ...] = (
    duplicate,
    duplicate,
    replace,
    splice,
    store_attributes_elsewhere,
    store_attributes_elsewhere,
    store_links_elsewhere,
    store_links_elsewhere,
    entries,
    tree,
    names,
    index,
    superblock,
    continuation,
    heap_objects,
    values,
    structure,
    move,
)


def mutant(rng: random.Random) -> tuple[bytes, list[str], list[str]]:
    """A changed file, the paths of the good one that it was made of, and what was done."""
    seed = rng.choice(seeds())
    data, done = changed(seed, rng)
    return data, [*filter(None, seed.places), "new"], done


def changed(seed: Seed, rng: random.Random) -> tuple[bytes, list[str]]:
    """The bytes of a good file after one to three changes, and their names."""
    case = Case(Patient(bytearray(seed.data)), dict(seed.places), rng)
    done = []
    for change in rng.choices(CHANGES, k=rng.choice((1, 1, 1, 2, 3))):
        with suppress(struct.error, IndexError, OverflowError):  # what an earlier change has broken stays as it is
            change(case)
        done.append(change.__name__)
    return bytes(case.file.data), done
