"""The checkpoints that are measured; they are made once a cache directory, by `make_inputs.py`."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = 1040
MAX_ON_DISK = 64 << 20  # of the sparse file
NAMES = (
    "B7.weights.h5",
    "B7.keras",
    "25GB.weights.h5",
    "B7.json",
    "B7-changed.weights.h5",
    "VGG16.weights.h5",
    "VGG16-changed.weights.h5",
    "VGG16-copy.weights.h5",
    "VGG16.h5",
    "B7.h5",
    "ResNet152.json",
    "InceptionV3.json",
)


@dataclass(frozen=True)
class Inputs:
    """EfficientNetB7 as `.weights.h5`, as `.keras` and as JSON, the first with the same weights grown to 25 GB, and
    with every value changed; VGG16 as `.weights.h5`, with every value changed, and a copy of it; both as whole
    models in the legacy layout; ResNet152 and InceptionV3 as JSON."""

    weights: Path
    model: Path
    sparse: Path
    architecture: Path
    weights_changed: Path
    vgg: Path
    vgg_changed: Path
    vgg_copy: Path
    vgg_whole: Path
    whole: Path
    residual: Path
    inception: Path


def inputs_in(directory: Path) -> Inputs:
    """The checkpoints in a directory; those that are missing are made, by a process of its own (see `Measurement`)."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in NAMES]
    inputs = Inputs(*paths)
    if not all(path.exists() for path in paths):
        subprocess.run([sys.executable, Path(__file__).with_name("make_inputs.py"), *paths], check=True)
    on_disk = inputs.sparse.stat().st_blocks * 512
    if on_disk > MAX_ON_DISK:
        sys.exit(f"{inputs.sparse} takes {on_disk:,} bytes on disk: this file system keeps no sparse files")
    return inputs
