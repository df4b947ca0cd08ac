"""The evidence by which weights were matched to a live model: path, name or order. Matches that stored names contradict
are refused."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter

from ckpttool.alignment.alignment import Aligned, Alignment, Evidence, key_of
from ckpttool.checkpoint import Checkpoint
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model import Architecture
from ckpttool.model.architecture_parts import part_in
from ckpttool.model.layers.table import LAYERS
from ckpttool.model.layouts import places_of
from ckpttool.model.slots import Part
from ckpttool.model.spec import spec_of
from ckpttool.verification import evidence, verify
from ckpttool.verification.result import Status

PLACE = Edit(
    "place-in-live-model",
    "puts the stored weights into the variables of a live model",
    "where its classes make their weights as the old ones did; matches by order alone are listed as guesses",
)
_EVIDENCE_NAMES = {Evidence.PATH: "by path", Evidence.NAME: "by layer name", Evidence.ORDER: "by order of layers"}
_MOST_NAMES = 8


def note_evidence(checkpoint: Checkpoint, live: Architecture, alignment: Alignment, journal: Journal) -> None:
    """Note the evidence of the alignment of a checkpoint with a live model; refuse matches that names contradict."""
    counts = Counter(_EVIDENCE_NAMES[aligned.evidence] for aligned in alignment.aligned)
    journal.edit(PLACE, live.name, ", ".join(f"{count:,} {how}" for how, count in counts.most_common()))
    if alignment.generation is None:
        for finding in verify(checkpoint, live, by="path").findings:
            if finding.status is Status.ORDER:
                journal.refuse(finding.label, finding.why)
        return
    slots = dict(zip(map(key_of, places_of(part_in(live))), spec_of(live).slots, strict=True))
    pairs = [
        (slots[key_of(aligned.place)], stored.weight) for aligned in alignment.aligned for stored in aligned.stored
    ]
    _refuse_crosswise(pairs, journal)
    _note_orders(alignment, part_in(live), journal)


def _refuse_crosswise(pairs: Sequence[evidence.Pair], journal: Journal) -> None:
    """Refuse weights that would be loaded into another layer or variable than their stored names say."""
    owner = attrgetter("group")
    names = {weight.layer for _, weight in pairs if weight.layer}
    for ours, theirs in evidence.swapped_layers(pairs, owner, attrgetter("layer"), names).items():
        journal.refuse(ours, f"would get, by order, the weights stored for {theirs}; order the layers as in the file")
    for slot, name in evidence.swapped_weights(pairs, owner).items():
        journal.refuse(slot.label, f"would get, by order, the weight stored as {name}; make weights in the old order")


def _note_orders(alignment: Alignment, part: Part, journal: Journal) -> None:
    """Note as guesses the layers, and the weights in layers of own classes, that were matched by order alone."""
    layers: dict[str, list[Aligned]] = defaultdict(list)
    for aligned in alignment.aligned:
        layers[aligned.place.group].append(aligned)
    others = {name: members[0].stored[0].weight.layer for name, members in layers.items()}
    by_order = [name for name, members in layers.items() if members[0].evidence is Evidence.ORDER]
    if by_order:
        text = ", ".join(f"{name} of {others[name]}" for name in by_order)
        journal.guess("layers", f"{len(by_order):,} by their order, as they have other names in the file: {text}")
    own = {top.name for _, top in part.tracks if _is_own(top)}
    by_class_order = [name for name, members in layers.items() if name in own and not _are_distinguished(members)]
    if by_class_order:
        text = ", ".join(by_class_order)
        journal.guess(
            "own classes", f"weights in the order of the class, as stored names do not distinguish them: {text}"
        )


def _is_own(part: Part) -> bool:
    """Whether a layer is of a class of the user's own, or has such a layer in it."""
    return part.class_name not in LAYERS or any(_is_own(child) for _, child in part.tracks)


def _are_distinguished(members: Sequence[Aligned]) -> bool:
    """Whether shapes, or the ends of stored names, distinguish the weights of a layer, and as in the live model."""
    pairs = [(aligned.place, stored.weight) for aligned in members for stored in aligned.stored]
    theirs = [(weight.shape, (weight.name or "").removesuffix(":0").split("/")) for _, weight in pairs]
    ours = [(weight.shape, place.label.split("/")) for place, weight in pairs]
    return any(
        len(set(ends)) == len(pairs) and ends == _ends(theirs, depth)
        for depth in range(_MOST_NAMES)
        for ends in [_ends(ours, depth)]
    )


def _ends(names: Iterable[tuple[tuple[int, ...], list[str]]], depth: int) -> list[tuple[object, ...]]:
    return [(shape, *(name[-depth:] if depth else ())) for shape, name in names]
