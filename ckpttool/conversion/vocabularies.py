"""Whether the layers of a converted model that look values up will find their vocabularies, and what is said of those
that will not."""

from collections.abc import Iterable, Mapping

from ckpttool.alignment.vocabularies import FILE, Lookup, lookups_of, outermost
from ckpttool.conversion.journal import Journal, NeedKind
from ckpttool.model.slots import Part

_MISSING = (
    "looks values up in a vocabulary, which is neither in the config nor an asset (a .h5 never holds one); "
    "build the model with its vocabulary (vocabulary=[...] as an argument) and convert into it with --arch "
    "package.module:function, or write weights alone (.weights.h5)"
)
_PADDED = "has padded weights of mode tf_idf, which Keras 3.15 refuses to load beside a shorter vocabulary"
_LINES = "has a vocabulary with entries that Keras 3 would cut in two: they hold characters at which lines end"
_STAYS = "its vocabulary, which no file of weights holds: set it where the model is built (set_vocabulary)"


def check(model: Part, assets: Mapping[str, bytes], journal: Journal) -> frozenset[str]:
    """Refuses the lookups of a whole model that Keras 3 would not load, or could not use; notes what they need. Gives
    the labels of those without a vocabulary."""
    found = list(lookups_of(model, assets))
    for one in outermost(found):
        if one.source == "missing":
            journal.refuse(one.layer, f"{one.class_name} {_MISSING}")
        if one.source == "file":
            _need_file(one, found, journal)
        if one.source == "asset" and one.is_padded:
            journal.refuse(one.layer, f"{one.class_name} {_PADDED}")
        if one.source == "asset" and not _lines_are_entries(assets[f"{one.place}/{FILE}"]):
            journal.refuse(one.layer, f"{one.class_name} {_LINES}")
    return frozenset(one.layer for one in found if one.source == "missing")


def _need_file(one: Lookup, found: Iterable[Lookup], journal: Journal) -> None:
    """Notes what a vocabulary needs that is read from a file."""
    if any(other.source == "asset" for other in found):
        told = f"reads its vocabulary from the file {one.file}, which Keras 3.15 refuses beside the assets of others"
        journal.refuse(one.layer, f"{told}; give it the vocabulary as a list and save the model again")
        return
    told = f"the file {one.file} with its vocabulary where the model is loaded, and load_model(..., safe_mode=False)"
    journal.need(one.layer, told, NeedKind.FILE)


def _lines_are_entries(raw: bytes) -> bool:
    """Whether Keras 3 finds the entries that were written, one a line: it cuts at more characters than Keras 2 did, and
    leaves out empty entries at the end (`IndexLookup.load_assets`, 2.15 and 3.15)."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    return text.splitlines() == text.removesuffix("\n").split("\n") if text else False


def note_left_behind(model: Part, journal: Journal) -> None:
    """Notes the vocabularies that weights alone do not hold; those in a config stay behind with it."""
    for one in outermost(lookups_of(model, ())):
        if one.source != "config":
            journal.lose(one.layer, _STAYS)
