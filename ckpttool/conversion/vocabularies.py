"""The vocabularies of a converted model's lookup layers: those that would be missing are refused or noted."""

from collections.abc import Iterable, Mapping

from ckpttool.alignment.vocabularies import FILE, Lookup, lookups_of, outermost
from ckpttool.conversion.journal import Journal, NeedKind
from ckpttool.model.slots import Part

_MISSING = (
    "looks values up in a vocabulary, which is neither in the config nor an asset (a .h5 never holds one); "
    "name the model's .keras or SavedModel with --arch, or package.module:function that builds it with its vocabulary "
    "(vocabulary=[...] as an argument), or write weights alone (.weights.h5)"
)
_PADDED = "has padded weights of mode tf_idf, which Keras 3.15 refuses to load beside a shorter vocabulary"
_LINES = (
    "has a vocabulary with entries that Keras 3 would cut in two or leave out: they hold characters that end lines, "
    "or are empty ones at the end"
)
_STAYS = "its vocabulary, which no file of weights stores: set it where the model is built (set_vocabulary)"


def check(model: Part, assets: Mapping[str, bytes], journal: Journal) -> frozenset[str]:
    """Refuse the lookups of a whole model that Keras 3 would not load, or could not use; note their needs. Returns the
    labels of those without a vocabulary."""
    lookups = list(lookups_of(model, assets))
    for lookup in outermost(lookups):
        if lookup.source == "missing":
            journal.refuse(lookup.layer, f"{lookup.class_name} {_MISSING}")
        if lookup.source == "file":
            _need_file(lookup, lookups, journal)
        if lookup.source == "asset" and lookup.is_padded:
            journal.refuse(lookup.layer, f"{lookup.class_name} {_PADDED}")
        if lookup.source == "asset" and not _lines_are_entries(assets[f"{lookup.place}/{FILE}"]):
            journal.refuse(lookup.layer, f"{lookup.class_name} {_LINES}")
    return frozenset(lookup.layer for lookup in lookups if lookup.source == "missing")


def _need_file(lookup: Lookup, lookups: Iterable[Lookup], journal: Journal) -> None:
    """Note the file that a lookup reads its vocabulary from, or refuse it beside assets of other lookups."""
    if any(other.source == "asset" for other in lookups):
        text = f"reads its vocabulary from the file {lookup.file}, which Keras 3.15 refuses beside the assets of others"
        journal.refuse(lookup.layer, f"{text}; give it the vocabulary as a list and save the model again")
        return
    text = f"the file {lookup.file} with its vocabulary where the model is loaded, and load_model(..., safe_mode=False)"
    journal.need(lookup.layer, text, NeedKind.FILE)


def _lines_are_entries(raw: bytes) -> bool:
    """Whether Keras 3 reads the same entries from a file with one a line: it splits at more characters than Keras 2,
    and leaves out empty entries at the end (`IndexLookup.load_assets`, 2.15 and 3.15)."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    return bool(text) and text.splitlines() == text.split("\n")


def note_left_behind(model: Part, journal: Journal) -> None:
    """Note the vocabularies that are lost where only weights are written. Those in the config are not noted: the user,
    who builds the model, states them there."""
    for lookup in outermost(lookups_of(model, ())):
        if lookup.source != "config":
            journal.lose(lookup.layer, _STAYS)
