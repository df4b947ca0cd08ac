"""The checkpoints that are measured; they are made once a cache directory, by `make_inputs.py`."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = 1040
MAX_ON_DISK = 64 << 20  # of the sparse file


@dataclass(frozen=True)
class Inputs:
    """EfficientNetB7 as `.weights.h5`, as `.keras` and as JSON, and the first with the same weights grown to 25 GB."""

    weights: Path
    model: Path
    sparse: Path
    architecture: Path


def inputs_in(directory: Path) -> Inputs:
    """The checkpoints in a directory; those that are missing are made, by a process of its own (see `Measurement`)."""
    directory.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(*(directory / name for name in ("B7.weights.h5", "B7.keras", "25GB.weights.h5", "B7.json")))
    paths = (inputs.weights, inputs.model, inputs.sparse, inputs.architecture)
    if not all(path.exists() for path in paths):
        subprocess.run([sys.executable, Path(__file__).with_name("make_inputs.py"), *paths], check=True)
    on_disk = inputs.sparse.stat().st_blocks * 512
    if on_disk > MAX_ON_DISK:
        sys.exit(f"{inputs.sparse} takes {on_disk:,} bytes on disk: this file system keeps no sparse files")
    return inputs
