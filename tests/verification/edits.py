"""Edits of stored checkpoints, each of which keeps the book of its file true."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.verification.stored import LEGACY, Array, Book, File, Owner, arrays_in, opened, parts_of, section_of

FileEdit = Callable[[Any, Book, str], None]


def edited(file: File, edit: FileEdit) -> File:
    """The file after an edit of the group that holds its weights, in place."""
    with opened(file.path) as root:
        edit(section_of(root, file.form), file.book, file.form)
    return file


def places(group: Any, form: str) -> list[str]:
    """The places of the arrays, in order."""
    return sorted(arrays_in(group, form))


def delete(index: int) -> FileEdit:
    """Deletes an array."""

    def edit(group: Any, book: Book, form: str) -> None:
        place = places(group, form)[index]
        del group[place]
        del book[place]

    return edit


def delete_layer(index: int) -> FileEdit:
    """Deletes all arrays of one layer, with their group."""

    def edit(group: Any, book: Book, form: str) -> None:
        parent = places(group, form)[index].rpartition("/")[0]
        parent = parent.split("/")[0] if form in LEGACY else parent.removesuffix("/vars") or "vars"
        del group[parent]
        for place in [place for place in book if place.startswith(f"{parent}/")]:
            del book[place]

    return edit


def extra(name: str) -> FileEdit:
    """Adds an array beside the first, named in `weight_names` where the layout has them."""

    def edit(group: Any, book: Book, form: str) -> None:
        first = places(group, form)[0]
        group[f"{first.rpartition('/')[0]}/{name}"] = np.full((2,), 9.5, np.float32)
        if form in LEGACY:
            owner, _, inside = first.partition("/")
            names = list(group[owner].attrs["weight_names"])
            group[owner].attrs["weight_names"] = [*names, f"{inside.rpartition('/')[0]}/{name}"]

    return edit


def unlisted(group: Any, book: Book, form: str) -> None:
    """Adds an array that nothing names."""
    group[f"{places(group, form)[0].rpartition('/')[0]}/loose"] = np.full((2,), 9.5, np.float32)


def stranger(place: str, listed: bool = False) -> FileEdit:
    """Adds a group with an array where no layer is, in `layer_names` where told to."""

    def edit(group: Any, book: Book, form: str) -> None:
        group[place] = np.full((3,), 8.25, np.float32)
        if listed:
            owner, _, inside = place.partition("/")
            group[owner].attrs["weight_names"] = [inside]
            group.attrs["layer_names"] = [*group.attrs["layer_names"], owner]

    return edit


def retype(index: int, dtype: str) -> FileEdit:
    """Stores an array in another dtype."""
    return _rewrite(index, lambda value: (value * 50).astype(dtype) if "int" in dtype else value.astype(dtype))


def imaginary(index: int) -> FileEdit:
    """Stores an array of complex numbers."""
    return _rewrite(index, lambda value: (value * (1 + 2j)).astype("complex64"))


def reshape(index: int) -> FileEdit:
    """Stores an array with its dimensions the other way round, and one more."""
    return _rewrite(index, lambda value: value.reshape((*value.shape[::-1], 1)))


def flat(index: int) -> FileEdit:
    """Stores an array with one dimension."""
    return _rewrite(index, lambda value: value.reshape(-1))


def text(index: int) -> FileEdit:
    """Stores texts in the place of numbers."""
    return _rewrite(index, lambda value: np.full(value.shape, b"text"))


def nothing(index: int) -> FileEdit:
    """Stores an array of no elements."""
    return _rewrite(index, lambda value: np.zeros((0,), value.dtype))


def _rewrite(index: int, change: Callable[[Array], Array]) -> FileEdit:
    def edit(group: Any, book: Book, form: str) -> None:
        place = places(group, form)[index]
        value = change(group[place][()])
        del group[place]
        group[place] = value

    return edit


def compressed(group: Any, book: Book, form: str) -> None:
    """Stores all arrays chunked and compressed."""
    for place in places(group, form):
        value = group[place][()]
        del group[place]
        group.create_dataset(place, data=value, **({"compression": "gzip"} if value.shape else {}))


def gap(group: Any, book: Book, form: str) -> None:
    """Numbers the last array of the first layer with more than one by one too many."""
    place = next(place for place in places(group, form) if place.endswith("/1"))
    _move(group, book, place, f"{place[:-1]}2" if f"{place[:-1]}2" not in group else f"{place[:-1]}9")


def not_number(group: Any, book: Book, form: str) -> None:
    """Gives the first array a name that is no number."""
    place = places(group, form)[0]
    _move(group, book, place, f"{place}_old")


def _move(group: Any, book: Book, place: str, new: str) -> None:
    group.move(place, new)
    book[new] = book.pop(place)


def rename_layers(change: Callable[[list[str]], list[str]]) -> FileEdit:
    """Changes the `name` attributes that layers with weights at the top have."""

    def edit(group: Any, book: Book, form: str) -> None:
        owners = sorted({place.rpartition("/")[0] for place in places(group, form) if place.count("/") == 3})
        old = [group[owner].attrs["name"] for owner in owners]
        for owner, name in zip(owners, change(old), strict=True):
            group[owner].attrs["name"] = name
            for place in [place for place in book if place.rpartition("/")[0] == owner]:
                book[place] = Owner((name, book[place].key[1]))

    return edit


def names_removed(group: Any, book: Book, form: str) -> None:
    """Removes all `name` attributes."""
    for place in places(group, form):
        group[place.rpartition("/")[0]].attrs.pop("name", None)
        book[place] = Owner(book[place].key, is_in_file=False)


def layer_names(change: Callable[[list[Any]], list[Any]]) -> FileEdit:
    """Changes `layer_names`."""

    def edit(group: Any, book: Book, form: str) -> None:
        group.attrs["layer_names"] = change(list(group.attrs["layer_names"]))

    return edit


def weight_names(index: int, change: Callable[[list[Any]], list[Any]]) -> FileEdit:
    """Changes `weight_names` of the layer of one array."""

    def edit(group: Any, book: Book, form: str) -> None:
        owner = group[places(group, form)[index].split("/")[0]]
        owner.attrs["weight_names"] = change(list(owner.attrs["weight_names"]))

    return edit


def layer_renamed(group: Any, book: Book, form: str) -> None:
    """Renames the first layer of `layer_names` that has weights."""
    old = next(name for name in group.attrs["layer_names"] if len(group[name].attrs["weight_names"]))
    group.move(old, "renamed")
    group.attrs["layer_names"] = ["renamed" if name == old else name for name in group.attrs["layer_names"]]
    for place in [place for place in book if place.startswith(f"{old}/")]:
        chain = "/".join(["renamed", *book[place].key[0].split("/")[1:]])
        book["renamed" + place[len(old) :]] = Owner((chain, book.pop(place).key[1]))


def no_attribute(name: str) -> FileEdit:
    """Removes an attribute of the group."""

    def edit(group: Any, book: Book, form: str) -> None:
        group.attrs.pop(name, None)

    return edit


def top_level(group: Any, book: Book, form: str) -> None:
    """Gives the model itself a weight."""
    own = group.require_group("top_level_model_weights")
    own["scale"] = np.full((3,), 8.25, np.float32)
    own.attrs["weight_names"] = ["scale"]


def shard_map(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[File], File]:
    """Changes the table of a sharded checkpoint that leads from layers to files."""

    def edit(file: File) -> File:
        index = json.loads(file.path.read_text())
        index["weight_map"] = change(index["weight_map"])
        file.path.write_text(json.dumps(index))
        return file

    return edit


def shard_lost(file: File) -> File:
    """Loses the last shard."""
    lost = parts_of(file.path, file.form)[-1]
    for place in File(lost, "weights", {}).arrays():
        file.book.pop(place, None)
    lost.unlink()
    return file
