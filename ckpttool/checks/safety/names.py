"""Names of layers, weights and members that can do harm where they are shown, or that look like other names."""

import re
import unicodedata
from collections.abc import Iterator

from ckpttool.checkpoint import Checkpoint
from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Rule, Severity
from ckpttool.checks.subject import Subject
from ckpttool.dangers.walk import walk

ODD_NAME = Rule(
    code="S501",
    name="odd-name",
    family="safety",
    severity=Severity.WARNING,
    finds="A name with control, invisible or direction characters, with blanks at its ends, or of absurd length.",
    why="It can rewrite a terminal or a log, or pass for another name.",
    remedy="Rename the layer or the file, and see who named it so.",
)

MARKUP_NAME = Rule(
    code="S502",
    name="markup-in-name",
    family="safety",
    severity=Severity.WARNING,
    finds="A name that is markup or a formula to some program: HTML, rich text, spreadsheets, shells, logs of CI.",
    why="A report or page that shows the name may run it.",
    remedy="Rename the layer, and see who named it so.",
)

LOOKALIKE_NAME = Rule(
    code="S503",
    name="lookalike-name",
    family="safety",
    severity=Severity.WARNING,
    finds="A name in which letters of another script stand for Latin ones, such as a Cyrillic e in dense.",
    why="It passes for another name, in reviews and in patterns that should match it.",
    remedy="Rename the layer.",
)

PATH_NAME = Rule(
    code="S504",
    name="path-in-name",
    family="safety",
    severity=Severity.ERROR,
    finds="The name of a layer or weight that climbs out of its directory with '..'.",
    why="Keras makes the paths of assets from names, and reads and writes there (CVE-2026-12479).",
    remedy="Do not load the file. Where you named the layer yourself, rename it.",
)

RULES = (ODD_NAME, MARKUP_NAME, LOOKALIKE_NAME, PATH_NAME)

MAX_LENGTH = 10_000
_SHOWN = 80
_PLAIN = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_:./ >-]*[A-Za-z0-9_:])?")
_MARKUP = re.compile(
    r"<[A-Za-z!/?][^<>]*[>|=]|\[/?[A-Za-z][^\[\]]*\]|\[\[|\$[({]|`|^::\w|^##vso\[|^[=@+]\w+\W|%[snxp]%|%[sn]$|\{\w+[.!:}]"
)
_ORDINARY = "<lambda>"  # how Python names a lambda, and Keras a loss made of one
_CLIMBS = re.compile(r"(^|[/\\])\.\.([/\\]|$)")
_WORD = re.compile(r"[^\W\d_]+")
_GREEK_LIKE_LATIN = frozenset(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03f3"
)


def names(subject: Subject) -> Iterator[Finding]:
    """The odd names among all names in a checkpoint."""
    if subject.checkpoint is not None:
        yield from cap_findings(_findings_in_names(subject.checkpoint))


def _findings_in_names(checkpoint: Checkpoint) -> Iterator[Finding]:
    seen = set[str]()
    for place, name in _all_names(checkpoint):
        if name in seen:
            continue
        seen.add(name)
        if not _is_plain(name):
            yield from _findings_in_name(place, name)


def _is_plain(name: str) -> bool:
    """Whether a name is like nearly all names, which nothing is wrong with."""
    return bool(_PLAIN.fullmatch(name)) and len(name) <= MAX_LENGTH and ".." not in name


def _findings_in_name(place: str, name: str) -> Iterator[Finding]:
    shown = f"{name[:_SHOWN]!r}"
    parts = name.split("/")
    if not _is_showable(name) or any(part != part.strip() for part in parts):
        yield Finding(ODD_NAME, place, f"is {shown}, with {_oddity(name)}")
    elif max(map(len, parts)) > MAX_LENGTH:
        yield Finding(ODD_NAME, place, f"is {shown}..., {len(name):,} characters long")
    elif name != _ORDINARY and any(map(_MARKUP.search, (name, *parts))):
        yield Finding(MARKUP_NAME, place, f"is {shown}")
    elif not name.isascii() and any(map(_is_mixed, _WORD.findall(name))):
        yield Finding(LOOKALIKE_NAME, place, f"is {shown}, which has letters of several scripts")
    if _CLIMBS.search(name):
        yield Finding(PATH_NAME, place, f"is {shown}")


def _is_showable(name: str) -> bool:
    """Whether all characters of a name are visible. Surrogates stand for bytes of old encodings, and are harmless."""
    return not any(map(_is_hidden, name))


def _is_hidden(char: str) -> bool:
    return not (char.isprintable() or "\udc80" <= char <= "\udcff")


def _oddity(name: str) -> str:
    """The first hidden character of a name, else the blanks at its ends, in a phrase."""
    char = next(filter(_is_hidden, name), "")
    if not char:
        return "blanks at the ends of a part"
    kind = {"Cc": "the control character", "Cf": "the invisible character"}.get(
        unicodedata.category(char), "the character"
    )
    return f"{kind} U+{ord(char):04X}"


def _is_mixed(word: str) -> bool:
    """Whether a word has letters of other scripts that pass for Latin ones."""
    scripts = {_script(char) for char in word}
    return "FULLWIDTH" in scripts or {"CYRILLIC", "LATIN"} <= scripts or {"LIKE LATIN", "LATIN"} <= scripts


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN"
    if char in _GREEK_LIKE_LATIN:
        return "LIKE LATIN"
    script = unicodedata.name(char, "").partition(" ")[0]
    return "FULLWIDTH" if script in ("FULLWIDTH", "MATHEMATICAL") else script


def _all_names(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """Every name with the place at which to report it; of those in the config, the plain ones are left out."""
    for weight in checkpoint.values():
        for name in (weight.path, weight.layer, weight.part, weight.name):
            if name:
                yield weight.path, name
    yield from (("layer_names", name) for name in checkpoint.layer_names)
    reported = {refusal.place for refusal in checkpoint.refusals if refusal.kind == "archive"}
    yield from ((name, name) for name in checkpoint.files if name not in reported)
    producer = checkpoint.producer
    if not checkpoint.format.is_native:  # in these, the reader has checked metadata.json
        texts = {"keras_version": producer.keras_version, "backend": producer.backend}
        yield from ((key, text) for key, text in texts.items() if text)
    for node in walk(checkpoint.config, "config"):
        if isinstance(node.value, dict):
            for key in ("name", "custom_name"):
                name = node.value.get(key)
                if isinstance(name, str) and not _is_plain(name):  # to put its place together takes longer
                    yield node.at(key), name


CHECKS = (names,)
