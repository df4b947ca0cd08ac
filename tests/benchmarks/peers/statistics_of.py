"""The statistics of every weight of a `.weights.h5` the plain way: h5py reads it whole, NumPy computes."""

import sys

import h5py
import numpy as np


def show(name: str, item: h5py.Group | h5py.Dataset) -> None:
    """Prints a dataset and its statistics."""
    if isinstance(item, h5py.Dataset):
        values = item[()]
        zeros = values.size - np.count_nonzero(values)
        print(name, values.shape, values.min(), values.max(), values.mean(), values.std(), zeros)


with h5py.File(sys.argv[1]) as file:
    file.visititems(show)
