"""The names of checkpoints: a template, what it asks for, and the container that its suffix means to Keras.

As `ModelCheckpoint` of Keras fills it (`_get_file_path`, keras/src/callbacks/model_checkpoint.py, 3.15): `epoch` and
`batch` count from one, everything else is a log.
"""

import os
import re
import string
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ckpttool.manifest import inside

_NUMBER = r"[-+ 0]*(?:[0-9][0-9_,.]*(?:[eE][-+]?[0-9]+)?|nan|inf)%? *"  # as format() writes one
_OLD_SUFFIXES = (".hdf5", ".h5")
_SUFFIXES = (".weights.h5", ".keras", *_OLD_SUFFIXES)


class Container(Enum):
    """What is written."""

    ARCHIVE = "whole model (.keras)"
    WEIGHTS = "weights (.weights.h5)"
    LEGACY_MODEL = "whole model in the legacy HDF5 format"
    LEGACY_WEIGHTS = "weights in the legacy HDF5 format, without the state of the optimizer"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a series of checkpoints. Files have their paths from `directory`, which holds no placeholder."""

    filepath: str
    directory: Path
    series: str
    suffix: str
    container: Container

    @classmethod
    def of(cls, filepath: str | os.PathLike[str], weights_only: bool) -> "Names":
        """The names that a `filepath` asks for; raises ValueError for one that cannot be meant."""
        text = os.fspath(filepath)
        if "{" not in text and os.path.islink(text):
            text = os.path.realpath(text)  # as Keras, which writes through the link
        if "://" in text:
            raise ValueError(
                f"filepath={text!r} is not on this machine. Save to a local directory and copy from there."
            )
        suffix, container = _container(text, weights_only)
        fixed = text.split("{", 1)[0]
        directory = os.path.dirname(fixed)
        names = cls(text, Path(directory or "."), text[len(directory) :].lstrip("/"), suffix, container)
        names._check()
        return names

    @property
    def fields(self) -> frozenset[str]:
        """The placeholders."""
        return frozenset(_fields(self.series))

    @property
    def logs(self) -> frozenset[str]:
        """The logs that the template asks for."""
        return self.fields - {"epoch", "batch"}

    def name(self, epoch: int, batch: int | None, logs: Mapping[str, Any]) -> str:
        """The name for an epoch and a batch that count from zero. Raises KeyError where a log is not there."""
        given = {"epoch": epoch + 1, **({} if batch is None or "batch" in logs else {"batch": batch + 1}), **logs}
        missing = sorted(self.fields - set(given))
        if missing:
            raise KeyError(
                f"Failed to format this callback filepath: {self.filepath!r}. Missing: {', '.join(missing)}; "
                f"there are {', '.join(sorted(given))}"
            )
        return inside(os.path.normpath(self.series.format(**given)).replace(os.sep, "/"))

    @property
    def parts(self) -> list[tuple[str, bool]]:
        """The texts of the template, each with whether a placeholder follows."""
        stem, suffix = _split(self.series)
        return [*((text, field is not None) for text, field in _parts(stem)), (suffix, False)]

    def fits(self, file: str) -> bool:
        """Whether the name of a file is one of the series."""
        return fits(self.series, file)

    def numbers(self, file: str) -> dict[str, int]:
        """The epoch and the batch, counted from one, that the name of a file tells."""
        found = _match(self.series, file)
        told = found.groupdict() if found is not None else {}
        return {field: int(text) for field, text in told.items() if text and text.strip().isdecimal()}

    @property
    def last(self) -> str:
        """The name of what is saved out of turn, which is no member of the series."""
        return f"{self._stem}.last{self.suffix}"

    @property
    def best(self) -> str:
        """The name of what is kept for callbacks that give the best weights back, which is no member of the series."""
        return f"{self._stem}.best{self.suffix}"

    @property
    def _stem(self) -> str:
        stem = os.path.basename(self.series.split("{", 1)[0].removesuffix(self.suffix)).rstrip("-_. ")
        return stem or "checkpoint"

    def numbered(self, name: str, taken: Collection[str]) -> str:
        """The name, with a number where it is taken."""
        number, found = 2, name
        while found in taken:
            found = f"{name.removesuffix(self.suffix)}-{number}{self.suffix}"
            number += 1
        return found

    def check_use(self, save_freq: str | int | None, retained: bool) -> None:
        """Raises ValueError for placeholders that are never known when it is time to save, and for a name without any
        where files are to be told apart."""
        if retained and not self.fields:
            raise ValueError(f"keep_last, keep_best and keep_every need {{epoch}} or the like in {self.filepath!r}")
        if save_freq == "epoch" and "batch" in self.fields:
            raise ValueError(f"{self.filepath!r}: at the end of an epoch there is no {{batch}}; use save_freq=N")
        late = sorted(name for name in self.fields if name.startswith("val_"))
        if isinstance(save_freq, int) and late:
            raise ValueError(f"{self.filepath!r}: at the end of a batch there is no {', '.join(late)}")

    def check_link(self, link: str) -> None:
        """Raises ValueError for a link that is not beside the files, or has the name that one of them may get."""
        if not link or os.path.basename(link) != link or link in (".", ".."):
            raise ValueError(f"link={link!r} is no name of a file beside the checkpoints")
        if self.fits(link) or link in (self.last, self.best) or not link.endswith(self.suffix):
            raise ValueError(
                f"link={link!r} has to end in {self.suffix}, and to be no name that {self.filepath!r} gives to a file"
            )

    def warning(self) -> str:
        """What to say of a name that promises another container than it gets; empty where it does not."""
        if self.container is Container.LEGACY_WEIGHTS or self.suffix == ".hdf5":
            ending = ".keras" if self.container is Container.LEGACY_MODEL else ".weights.h5"
            return f"{self.filepath!r} is written as {self.container.value}; a name in {ending} gets today's format."
        if self.container is Container.LEGACY_MODEL and self.suffix == ".weights.h5":
            return (
                f"{self.filepath!r} is written as {self.container.value}, as Keras does, and load_weights does not "
                "read that under this name. Weights only are written with save_weights_only=True."
            )
        return ""

    def _check(self) -> None:
        """Raises ValueError for a template that can never be filled."""
        try:
            self.name(0, 0, dict.fromkeys(self.logs, 0.0))
        except (ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"filepath={self.filepath!r} cannot be filled: {error}") from error


def fits(series: str, file: str) -> bool:
    """Whether the name of a file is one that the template of a series gives, with a number at its end or not."""
    return _match(series, file) is not None


def _match(series: str, file: str) -> "re.Match[str] | None":
    stem, suffix = _split(series)
    if not suffix or not file.endswith(suffix) or (not _parts(stem) and stem):
        return None
    named = Counter[str]()
    pattern = ""
    for text, field in _parts(stem):
        pattern += re.escape(text)
        if field in ("epoch", "batch") and not named[field]:
            pattern += f"(?P<{field}>{_NUMBER})"
        elif field is not None:
            pattern += _NUMBER
        named[field or ""] += 1
    return re.fullmatch(f"{pattern}(?:-[0-9]+)?", file.removesuffix(suffix))


def _split(series: str) -> tuple[str, str]:
    """A template without its suffix, and the suffix, empty where it is that of no checkpoint."""
    whole = os.path.normpath(series).replace(os.sep, "/")
    suffix = next((each for each in _SUFFIXES if whole.endswith(each)), "")
    return whole.removesuffix(suffix), suffix


def _parts(template: str) -> list[tuple[str, str | None]]:
    """The texts of a template, each with the placeholder behind it; none where it is no template."""
    try:
        return [(text, name) for text, name, _, _ in string.Formatter().parse(template)]
    except ValueError:
        return []


def _fields(template: str) -> list[str]:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"filepath={template!r} cannot be filled: {error}") from error
    return [name.split(".")[0].split("[")[0] for _, name, _, _ in parsed if name is not None]


def _container(text: str, weights_only: bool) -> tuple[str, Container]:
    """The suffix of a name, and what Keras reads under it."""
    if text.endswith(".weights.h5"):
        return ".weights.h5", Container.WEIGHTS if weights_only else Container.LEGACY_MODEL
    if text.endswith(".keras") and not weights_only:
        return ".keras", Container.ARCHIVE
    for suffix in _OLD_SUFFIXES:
        if text.endswith(suffix):
            return suffix, Container.LEGACY_WEIGHTS if weights_only else Container.LEGACY_MODEL
    if weights_only:
        raise ValueError(
            "When using `save_weights_only=True` in `ModelCheckpoint`, the filepath provided must end in `.weights.h5` "
            f"(Keras weights format), or `.h5` or `.hdf5` (legacy). Received: filepath={text}"
        )
    raise ValueError(
        "The filepath provided must end in `.keras` (Keras model format), or `.h5` or `.hdf5` (legacy). "
        f"Received: filepath={text}"
    )
