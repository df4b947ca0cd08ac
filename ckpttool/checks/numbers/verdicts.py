"""The findings of the rules about numbers: in one scanned weight, and in all of them together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ckpttool.arrays.statistics import measure
from ckpttool.checkpoint import Section, Weight
from ckpttool.checks.numbers.bits import value_of
from ckpttool.checks.numbers.roles import Role
from ckpttool.checks.numbers.rules import (
    CONSTANT_KERNEL,
    DEAD_VARIANCE,
    DENORMAL,
    DTYPE_MIX,
    DUPLICATE,
    EXPLODING,
    INFINITE,
    NAN,
    NEGATIVE_VARIANCE,
    ZERO_KERNEL,
)
from ckpttool.checks.numbers.value_scan import Scan
from ckpttool.checks.requirements import Thresholds
from ckpttool.checks.rule import Finding

ScannedWeight = tuple[Scan, Role]


def findings_of_weight(scan: Scan, role: Role, thresholds: Thresholds) -> Iterator[Finding]:
    """The findings in the numbers of one weight."""
    weight, bounds = scan.weight, scan.bounds
    for rule, count in ((NAN, bounds.nan), (INFINITE, bounds.infinite)):
        if count:
            yield Finding(rule, weight.path, f"{count:,} of {_count_of_numbers(scan):,} values")
    if weight.section is Section.MODEL and bounds.denormal > thresholds.denormal_share * _count_of_numbers(scan):
        yield Finding(DENORMAL, weight.path, f"{bounds.denormal:,} of {_count_of_numbers(scan):,} values")
    if role.is_kernel and not role.starts_constant and weight.size >= thresholds.smallest_kernel:
        yield from _flat(scan)
    if bounds.is_finite and scan.layout.special is not None:
        if role.is_variance:
            yield from _variance(scan, thresholds)
        elif not role.is_statistic:
            yield from _magnitude(scan, thresholds)


def _count_of_numbers(scan: Scan) -> int:
    """The count of numbers in a weight; a complex value is two."""
    return scan.weight.nbytes // scan.layout.width


def _flat(scan: Scan) -> Iterator[Finding]:
    if scan.bounds.is_zero(scan.layout):
        yield Finding(ZERO_KERNEL, scan.weight.path, f"all {scan.weight.size:,} values are 0")
    elif scan.bounds.is_constant:
        value = scan.weight.read().flat[0]
        yield Finding(CONSTANT_KERNEL, scan.weight.path, f"all {scan.weight.size:,} values are {value:.6g}")


def _magnitude(scan: Scan, thresholds: Thresholds) -> Iterator[Finding]:
    largest = value_of(scan.bounds.largest(scan.layout), scan.weight.dtype, scan.layout)
    if largest > thresholds.huge:
        yield Finding(EXPLODING, scan.weight.path, f"the largest absolute value is {largest:.4g}")


def _variance(scan: Scan, thresholds: Thresholds) -> Iterator[Finding]:
    weight, lowest = scan.weight, scan.bounds.lowest(scan.weight.dtype, scan.layout)
    if lowest >= thresholds.tiny_variance:
        return
    values = weight.read()  # again, which is cheap: a variance has one value for each channel
    negative = int((values < 0).sum())
    dead = int((values < thresholds.tiny_variance).sum()) - negative
    if negative:
        yield Finding(NEGATIVE_VARIANCE, weight.path, f"{negative:,} of {weight.size:,} channels, down to {lowest:.4g}")
    if dead:
        least = values[values >= 0].min()
        yield Finding(DEAD_VARIANCE, weight.path, f"{dead:,} of {weight.size:,} channels, down to {least:.4g}")


def duplicates(scanned: Iterable[ScannedWeight], thresholds: Thresholds) -> Iterator[Finding]:
    """The weights of two or more axes that are equal to an earlier one. Only those of equal shape and bounds are read
    again, for their checksums.

    Weights of one axis can be equal for a good reason: the biases of branches that are added up are trained alike.
    """
    groups = defaultdict[tuple[object, ...], list[Weight]](list)
    for scan, _ in scanned:
        weight, flat = scan.weight, scan.bounds.is_constant or scan.bounds.is_zero(scan.layout)
        if weight.section is Section.MODEL and len(weight.shape) > 1 and not flat:
            groups[weight.dtype, weight.shape, scan.bounds].append(weight)
    for group in groups.values():
        if len(group) > 1 and group[0].size >= thresholds.smallest_duplicate:
            yield from _equal(group)


def _equal(group: Sequence[Weight]) -> Iterator[Finding]:
    first = dict[str, Weight]()
    for weight in group:
        earlier = first.setdefault(measure(weight, sha256=True).sha256 or "", weight)
        if earlier is not weight and not _are_of_one_object(earlier, weight):
            yield Finding(DUPLICATE, weight.path, f"{weight.size:,} values, all those of {earlier.path}")


def _are_of_one_object(a: Weight, b: Weight) -> bool:
    """Whether one weight's object is nested in the other's: Keras may store a weight below both, so it is no copy."""
    owner_a, owner_b = (weight.path.rpartition("/vars/")[0] for weight in (a, b))
    return bool(owner_a and owner_b) and (owner_a.startswith(f"{owner_b}/") or owner_b.startswith(f"{owner_a}/"))


def dtypes(scanned: Iterable[ScannedWeight]) -> Iterator[Finding]:
    """The mix of floating dtypes in a model whose config does not ask for it."""
    paths_by_dtype = defaultdict[str, list[str]](list)
    all_as_configured = True
    for scan, role in scanned:
        weight = scan.weight
        if weight.section is Section.MODEL and scan.layout.special is not None:
            paths_by_dtype[weight.dtype].append(weight.path)
            all_as_configured &= weight.dtype == role.dtype
    if len(paths_by_dtype) > 1 and not all_as_configured:
        counts = sorted(paths_by_dtype.items(), key=lambda item: -len(item[1]))
        shares = ", ".join(f"{len(paths):,} of {dtype}" for dtype, paths in counts)
        yield Finding(DTYPE_MIX, counts[-1][1][0], f"{shares}; of {counts[-1][0]} is this one")
