"""The kinds of checkpoints: what each is called, how its files are named, and what it holds."""

from typing import NamedTuple

from ckpttool.escape import brief


class Format(NamedTuple):
    """A kind of checkpoint: its title for people, the suffixes of its files, and what it is beside.

    `has_paths`: weights stand at the paths of Keras 3. `is_whole`: Keras 3 loads it as a model, with config and
    vocabularies. `in_hdf5`: Keras writes it as one file of HDF5, from version 1 on. `is_foreign`: of another program.
    """

    title: str
    suffixes: tuple[str, ...] = ()
    has_paths: bool = False
    is_whole: bool = False
    in_hdf5: bool = False
    is_archive: bool = False
    is_directory: bool = False
    is_sharded: bool = False
    is_of_keras_0: bool = False
    is_of_tensorflow: bool = False
    is_saved_model: bool = False
    is_foreign: bool = False

    def __repr__(self) -> str:
        return brief(self)

    @property
    def is_legacy(self) -> bool:
        """Whether it is a legacy HDF5 file, with a group of weights for each layer."""
        return self.in_hdf5 and not self.has_paths

    @property
    def is_native(self) -> bool:
        """Whether it is a `.keras`, as an archive or unzipped, which alone has assets."""
        return self.is_whole and self.has_paths


FORMATS = {
    "keras-zip": Format("Keras model (.keras)", (".keras",), has_paths=True, is_whole=True, is_archive=True),
    "keras-dir": Format("Keras model (unzipped .keras directory)", has_paths=True, is_whole=True, is_directory=True),
    "weights-h5": Format("Keras weights (.weights.h5)", (".weights.h5",), has_paths=True, in_hdf5=True),
    "sharded": Format("Keras sharded weights (.weights.json)", (".weights.json",), has_paths=True, is_sharded=True),
    "legacy-model": Format("legacy HDF5 model", (".h5", ".hdf5"), is_whole=True, in_hdf5=True),
    "legacy-weights": Format("legacy HDF5 weights", (".h5", ".hdf5"), in_hdf5=True),
    "keras0-weights": Format("Keras 0.x HDF5 weights", (".h5", ".hdf5"), is_of_keras_0=True),
    "tensorflow-checkpoint": Format("TensorFlow checkpoint", (".index",), is_of_tensorflow=True),
    "saved-model": Format("TensorFlow SavedModel", is_of_tensorflow=True, is_saved_model=True),
    "architecture": Format("architecture of a model"),
    "hdf5": Format("HDF5, but no Keras checkpoint", is_foreign=True),
}
"""The formats by their kinds, as `Checkpoint.kind` and `--json` name them."""
