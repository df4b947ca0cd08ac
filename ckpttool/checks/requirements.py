"""Thresholds of the rules about numbers, and requirements on whole checkpoints, as plain values; with the defaults,
nothing is required."""

import math
from dataclasses import dataclass, field

from ckpttool.escape import brief


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds from which the rules of the family `numbers` report a finding.

    `huge` is the largest absolute value of a weight that passes, `tiny_variance` the variance below which a channel of
    a BatchNormalization counts as dead, `denormal_share` the share of a weight's values that may be denormal.
    `smallest_kernel` is the least number of values of a kernel that is reported as zero or constant,
    `smallest_duplicate` that of two weights that are reported as equal.
    """

    huge: float = 1e6
    tiny_variance: float = 1e-12
    denormal_share: float = 0.01
    smallest_kernel: int = 4
    smallest_duplicate: int = 64


@dataclass(frozen=True, slots=True)
class Requirements:
    """Requirements on a checkpoint, which the rules of the family `policy` check; the defaults require nothing.

    `dtypes` are those that weights of the model may have. `max_size` is in bytes, of the whole checkpoint, and
    `max_parameters` counts the values of the model. `keras` is a range of versions that the writer has to be in, such
    as ">=3.0,<4". `required_layers`, `forbidden_layers` and `custom_objects` (those that are allowed) are globs over
    class names. `no_optimizer` forbids state of an optimizer.

    `architecture` is a file with a spec or an architecture that the weights have to fit. `baseline` is a checkpoint
    from which this one may differ: not at all in weights that match `frozen`, globs over layers, weights and paths, and
    in no weight by more than `largest_change`, the norm of the difference relative to that of the baseline. `sha256`
    is the checksum that the file must have, in hex.
    """

    dtypes: tuple[str, ...] = ()
    max_size: int = 0
    max_parameters: int = 0
    keras: str = ""
    required_layers: tuple[str, ...] = ()
    forbidden_layers: tuple[str, ...] = ()
    custom_objects: tuple[str, ...] = ("*",)
    no_optimizer: bool = False
    architecture: str = field(default="", metadata={"meaning": "path"})
    baseline: str = field(default="", metadata={"meaning": "path"})
    frozen: tuple[str, ...] = ()
    largest_change: float = math.inf
    sha256: str = ""

    __repr__ = brief
