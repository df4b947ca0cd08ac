"""What the rules of numbers say of one weight that was scanned, and of all of them together."""

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

Judged = tuple[Scan, Role]


def judged(scan: Scan, role: Role, thresholds: Thresholds) -> Iterator[Finding]:
    """What there is to say of the numbers of one weight."""
    weight, bounds = scan.weight, scan.bounds
    for rule, count in ((NAN, bounds.nan), (INFINITE, bounds.infinite)):
        if count:
            yield Finding(rule, weight.path, f"{count:,} of {_numbers(scan):,} values")
    if weight.section is Section.MODEL and bounds.denormal > thresholds.denormal_share * _numbers(scan):
        yield Finding(DENORMAL, weight.path, f"{bounds.denormal:,} of {_numbers(scan):,} values")
    if role.is_kernel and not role.born_constant and weight.size >= thresholds.smallest_kernel:
        yield from _flat(scan)
    if bounds.is_finite and scan.layout.special is not None:
        if role.is_variance:
            yield from _variance(scan, thresholds)
        elif not role.is_statistic:
            yield from _magnitude(scan, thresholds)


def _numbers(scan: Scan) -> int:
    """How many numbers a weight holds; a complex value is two."""
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
    values = weight.read()  # once more, for they are few
    negative = int((values < 0).sum())
    dead = int((values < thresholds.tiny_variance).sum()) - negative
    if negative:
        yield Finding(NEGATIVE_VARIANCE, weight.path, f"{negative:,} of {weight.size:,} channels, down to {lowest:.4g}")
    if dead:
        least = values[values >= 0].min()
        yield Finding(DEAD_VARIANCE, weight.path, f"{dead:,} of {weight.size:,} channels, down to {least:.4g}")


def duplicates(scanned: Iterable[Judged], thresholds: Thresholds) -> Iterator[Finding]:
    """The weights of two or more axes that are the same as one before them. Of one axis may be the offsets of branches
    that meet in a sum, which are trained alike. Only those of equal shape and bounds are read once more."""
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
        same = first.setdefault(measure(weight, sha256=True).sha256 or "", weight)
        if same is not weight and not _are_of_one_object(same, weight):
            yield Finding(DUPLICATE, weight.path, f"{weight.size:,} values, all those of {same.path}")


def _are_of_one_object(a: Weight, b: Weight) -> bool:
    """Whether the object of one weight holds that of the other, whose weights it may list, and store, as its own."""
    one, other = (weight.path.rpartition("/vars/")[0] for weight in (a, b))
    return bool(one and other) and (one.startswith(f"{other}/") or other.startswith(f"{one}/"))


def dtypes(scanned: Iterable[Judged]) -> Iterator[Finding]:
    """The floating dtypes of a model that has several, other than its config asks for."""
    found = defaultdict[str, list[str]](list)
    asked = True
    for scan, role in scanned:
        weight = scan.weight
        if weight.section is Section.MODEL and scan.layout.special is not None:
            found[weight.dtype].append(weight.path)
            asked &= weight.dtype == role.dtype
    if len(found) > 1 and not asked:
        counts = sorted(found.items(), key=lambda item: -len(item[1]))
        told = ", ".join(f"{len(paths):,} of {dtype}" for dtype, paths in counts)
        yield Finding(DTYPE_MIX, counts[-1][1][0], f"{told}; of {counts[-1][0]} is this one")
