"""How the weights of a checkpoint were told apart, where a live model says what the places are: what rests on a path or
a name, what on an order alone, and what the stored names gainsay."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter

from ckpttool.alignment.alignment import Aligned, Alignment, Evidence, key_of
from ckpttool.checkpoint import Checkpoint
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model import Architecture
from ckpttool.model.layers.table import LAYERS
from ckpttool.model.layouts import places_of
from ckpttool.model.slots import Part
from ckpttool.model.spec import part_in, spec_of
from ckpttool.verification import evidence, verify
from ckpttool.verification.result import Status

PLACE = Edit(
    "place-in-live-model",
    "puts the stored weights into the places that a live model told of",
    "where its classes make their weights as the old ones did; what rests on an order alone is listed as a guess",
)
_TOLD = {Evidence.PATH: "by path", Evidence.NAME: "by layer name", Evidence.ORDER: "by order of layers"}
_MOST_NAMES = 8


def note(checkpoint: Checkpoint, live: Architecture, alignment: Alignment, journal: Journal) -> None:
    """Notes what the alignment of a checkpoint with a live model rests on, and refuses what stored names gainsay."""
    counts = Counter(_TOLD[one.evidence] for one in alignment.aligned)
    journal.edit(PLACE, live.name, ", ".join(f"{count:,} {how}" for how, count in counts.most_common()))
    if alignment.generation is None:
        for finding in verify(checkpoint, live, by="path").findings:
            if finding.status is Status.ORDER:
                journal.refuse(finding.label, finding.why)
        return
    slots = dict(zip(map(key_of, places_of(part_in(live))), spec_of(live).slots, strict=True))
    found = [(slots[key_of(one.place)], stored.weight) for one in alignment.aligned for stored in one.stored]
    _refuse_crosswise(found, journal)
    _note_orders(alignment, part_in(live), journal)


def _refuse_crosswise(found: Sequence[evidence.Pair], journal: Journal) -> None:
    """Refuses what would go to another place than its stored name says."""
    owner = attrgetter("group")
    names = {weight.layer for _, weight in found if weight.layer}
    for ours, theirs in evidence.swapped_layers(found, owner, attrgetter("layer"), names).items():
        journal.refuse(ours, f"would get by order what the file stores for {theirs}; order the layers as the file does")
    for slot, name in evidence.swapped_weights(found, owner).items():
        journal.refuse(slot.label, f"would get by order what the file stores as {name}; make them in the order of old")


def _note_orders(alignment: Alignment, part: Part, journal: Journal) -> None:
    """Notes as guesses which layers, and which weights in layers of own classes, nothing but their order told."""
    layers: dict[str, list[Aligned]] = defaultdict(list)
    for one in alignment.aligned:
        layers[one.place.group].append(one)
    others = {name: held[0].stored[0].weight.layer for name, held in layers.items()}
    by_order = [name for name, held in layers.items() if held[0].evidence is Evidence.ORDER]
    if by_order:
        told = ", ".join(f"{name} of {others[name]}" for name in by_order)
        journal.guess("layers", f"{len(by_order):,} by their order, as the file calls them otherwise: {told}")
    own = {top.name for _, top in part.tracks if _is_own(top)}
    untold = [name for name, held in layers.items() if name in own and not _told(held)]
    if untold:
        told = ", ".join(untold)
        journal.guess(
            "own classes", f"weights in the order of the class, for stored names do not tell them apart: {told}"
        )


def _is_own(part: Part) -> bool:
    """Whether a layer is of a class of the user's own, or holds one."""
    return part.class_name not in LAYERS or any(_is_own(child) for _, child in part.tracks)


def _told(held: Sequence[Aligned]) -> bool:
    """Whether shapes, or the ends of stored names, tell the weights of a layer apart as the live model does."""
    pairs = [(one.place, stored.weight) for one in held for stored in one.stored]
    theirs = [(weight.shape, (weight.name or "").removesuffix(":0").split("/")) for _, weight in pairs]
    ours = [(weight.shape, place.label.split("/")) for place, weight in pairs]
    return any(
        len(set(ends)) == len(pairs) and ends == _ends(theirs, depth)
        for depth in range(_MOST_NAMES)
        for ends in [_ends(ours, depth)]
    )


def _ends(names: Iterable[tuple[tuple[int, ...], list[str]]], depth: int) -> list[tuple[object, ...]]:
    return [(shape, *(name[-depth:] if depth else ())) for shape, name in names]
