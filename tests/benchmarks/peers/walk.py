"""Lists a `.weights.h5` the plain way: one line a dataset, by h5py."""

import sys

import h5py


def show(name: str, item: h5py.Group | h5py.Dataset) -> None:
    """Prints a dataset."""
    if isinstance(item, h5py.Dataset):
        print(name, item.shape, item.dtype)


with h5py.File(sys.argv[1]) as file:
    file.visititems(show)
