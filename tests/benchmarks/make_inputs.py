"""Makes what is measured: `make_inputs.py` and the paths of `Inputs`, in their order. Nothing is downloaded."""

import math
import os
import shutil
import sys
from pathlib import Path

import h5py

GROWN = 5_000_000  # values of a weight of the sparse file: 20 MB
HUGE = 1_100_000_000  # values of one of them: over 4 GiB


def main(
    weights: Path,
    model: Path,
    sparse: Path,
    architecture: Path,
    weights_changed: Path,
    vgg: Path,
    vgg_changed: Path,
    vgg_copy: Path,
    vgg_whole: Path,
    whole: Path,
    residual: Path,
    inception: Path,
) -> None:
    """Makes all of them. A file gets its name when it is whole, so an interrupted run leaves none half made."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    built = keras.applications.EfficientNetB7(weights=None)
    large = keras.applications.VGG16(weights=None)
    for path, save in (
        (weights, built.save_weights),
        (model, built.save),
        (vgg, large.save_weights),
        (vgg_whole, large.save),
        (whole, built.save),
    ):
        save(_part(path))
        os.replace(_part(path), path)
    deep = keras.applications.ResNet152(weights=None)
    branched = keras.applications.InceptionV3(weights=None)
    for path, described in ((architecture, built), (residual, deep), (inception, branched)):
        _part(path).write_text(described.to_json())
        os.replace(_part(path), path)
    for source, target, make in (
        (weights, sparse, grow),
        (weights, weights_changed, change),
        (vgg, vgg_changed, change),
        (vgg, vgg_copy, shutil.copyfile),
    ):
        make(source, _part(target))
        os.replace(_part(target), target)


def change(source: Path, target: Path) -> None:
    """A copy of a checkpoint in which every value is another one."""
    shutil.copyfile(source, target)
    with h5py.File(target, "r+") as file:

        def nudge(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                item[...] = item[()] * 1.001 + 1e-4

        file.visititems(nudge)


def _part(path: Path) -> Path:
    return path.with_name(f"part-{path.name}")


def grow(small: Path, large: Path) -> None:
    """A copy of a checkpoint with the same groups, names and attributes, in which every weight is large and unwritten.

    Its space is given out at once and never filled, so that the file has all its bytes and takes none on disk.
    """
    with h5py.File(small) as source, h5py.File(large, "w") as target:
        _copy_attributes(source, target)
        datasets = []

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                datasets.append(name)
            else:
                _copy_attributes(item, target.create_group(name))

        source.visititems(copy)
        for name in datasets:
            shape = (HUGE,) if name == datasets[-1] else (GROWN // 1000, 1000)
            _copy_attributes(source[name], _unwritten(target, name, shape))


def _copy_attributes(source: h5py.HLObject, target: h5py.HLObject) -> None:
    for name, value in source.attrs.items():
        target.attrs[name] = value


def _unwritten(file: h5py.File, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple(shape)
    dataset = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F32LE, space, settings))
    assert dataset.id.get_storage_size() == 4 * math.prod(shape)
    return dataset


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
