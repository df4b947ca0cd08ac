"""The view of h5py on HDF5 files: a process of its own, in limits, that takes paths as lines and gives views as JSON.

Needs nothing but h5py, so that any Python with any version of it can run this file.
"""

import hashlib
import json
import resource
import signal
import sys

import h5py
import numpy as np

SECONDS = 2  # of the processor: a machine that has more to do hangs nothing
MEMORY = 2 << 30
LARGEST = 1 << 20  # values of one dataset that are read


def plain(item):  # type: ignore[no-untyped-def]
    """One value of an attribute in plain Python; texts in UTF-8 and bytes are the same."""
    item = item.item() if isinstance(item, np.generic) else item
    item = item.encode("utf-8", "surrogateescape") if isinstance(item, str) else item
    return item.rstrip(b"\0").decode("latin-1") if isinstance(item, bytes) else repr(item)


def attribute(attributes, name):  # type: ignore[no-untyped-def]
    """The value of an attribute, None where it is no text and no number."""
    value, dtype = attributes[name], attributes.get_id(name).dtype
    if isinstance(value, h5py.Empty) or h5py.check_dtype(enum=dtype) is not None:
        return None
    if dtype.kind not in "iufbS" and h5py.check_dtype(vlen=dtype) not in (str, bytes):
        return None
    return [plain(item) for item in value.ravel()] if isinstance(value, np.ndarray) else plain(value)


def tried(work, *args):  # type: ignore[no-untyped-def]
    """The result of a call, or the error that it ends in."""
    try:
        return work(*args)
    except Exception as error:
        return {"error": type(error).__name__}


def attributes_of(item):  # type: ignore[no-untyped-def]
    """All attributes by name, each as it is or as the error that it ends in."""
    views = {}
    try:
        names = list(item.attrs)
    except Exception as error:
        return {"?": "error " + type(error).__name__}
    for name in names:
        views[name] = tried(attribute, item.attrs, name)
    return views


def dataset(item):  # type: ignore[no-untyped-def]
    """A dataset: its shape, the bytes of a value, and the checksum of all values where they are of fixed size."""
    shape = None if item.shape is None else list(item.shape)
    view = {"kind": "dataset", "shape": shape, "itemsize": item.id.get_type().get_size()}
    if not item.dtype.hasobject and shape is not None and int(np.prod(shape, dtype=float)) <= LARGEST:
        try:
            values = np.asarray(item[()], item.dtype)
            view["sha256"] = hashlib.sha256(values.tobytes()).hexdigest()
        except Exception as error:
            view["sha256"] = "error " + type(error).__name__
    return view


def opened(parent, name):  # type: ignore[no-untyped-def]
    """A member of a group by its name, and how to call it; a link that is not hard is only named."""
    link = parent.get(name, getlink=True)
    if type(link) is not h5py.HardLink:
        return None, {"kind": "link"}
    try:
        item = parent[name]
    except Exception as error:
        return None, {"error": type(error).__name__}
    if isinstance(item, h5py.Group):
        return item, {"kind": "group", "attributes": attributes_of(item)}
    if isinstance(item, h5py.Dataset):
        return None, dict(dataset(item), attributes=attributes_of(item))
    return None, {"kind": "type"}


def walk(file, probes):  # type: ignore[no-untyped-def]
    """Every object by its path; `probes` are paths that are asked for by name, whether they are listed or not."""
    views = {"": {"kind": "group", "attributes": attributes_of(file)}}
    stack, seen = [("", file)], {file.id}
    while stack:
        path, group = stack.pop()
        try:
            names = list(group)
        except Exception as error:
            views[path]["error"] = type(error).__name__
            continue
        for name in names:
            shown = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
            place = path + "/" + shown if path else shown
            item, views[place] = opened(group, name)
            if item is not None and item.id not in seen and len(views) < 2000:
                seen.add(item.id)
                stack.append((place, item))
    for path in probes:
        if path not in views:
            try:
                file[path]
                views[path] = {"kind": "unlisted"}
            except Exception:
                continue
    return views


def view(path, probes):  # type: ignore[no-untyped-def]
    """The objects of a file, or the error that opening it ends in."""
    try:
        with h5py.File(path, "r") as file:
            return {"objects": walk(file, probes)}
    except Exception as error:
        return {"error": type(error).__name__ + ": " + str(error)[:100]}


def main():  # type: ignore[no-untyped-def]
    """Answers one line of JSON, `[path, probes]`, after the other; a crash or a hang ends the process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        answer = json.dumps(view(*json.loads(line)))
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
