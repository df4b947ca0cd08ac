"""The names of checkpoints: a template with placeholders, and the container that Keras writes for its suffix.

Placeholders are filled as Keras's `ModelCheckpoint` does (`_get_file_path`, keras/src/callbacks/model_checkpoint.py,
3.15): `epoch` and `batch` count from one, every other is a log.
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
    """The container: format and content of the files of a series."""

    ARCHIVE = "whole model (.keras)"
    WEIGHTS = "weights (.weights.h5)"
    LEGACY_MODEL = "whole model in the legacy HDF5 format"
    LEGACY_WEIGHTS = "weights in the legacy HDF5 format, without the state of the optimizer"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a series of checkpoints. Names of files are relative to `directory`, which has no placeholder."""

    filepath: str
    directory: Path
    series: str
    suffix: str
    container: Container

    @classmethod
    def of(cls, filepath: str | os.PathLike[str], weights_only: bool) -> "Names":
        """The names for a `filepath`. Raises ValueError for one that cannot be used."""
        text = os.fspath(filepath)
        if "{" not in text and os.path.islink(text):
            text = os.path.realpath(text)  # Keras writes through a link; replacing the link would be another result
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
        """The placeholders for logs."""
        return self.fields - {"epoch", "batch"}

    def name(self, epoch: int, batch: int | None, logs: Mapping[str, Any]) -> str:
        """The name for an epoch and a batch, which count from zero. Raises KeyError where a log is missing."""
        values = {"epoch": epoch + 1, **({} if batch is None or "batch" in logs else {"batch": batch + 1}), **logs}
        missing = sorted(self.fields - set(values))
        if missing:
            raise KeyError(
                f"Failed to format this callback filepath: {self.filepath!r}. Missing: {', '.join(missing)}; "
                f"there are {', '.join(sorted(values))}"
            )
        return inside(os.path.normpath(self.series.format(**values)).replace(os.sep, "/"))

    @property
    def parts(self) -> list[tuple[str, bool]]:
        """The texts between the placeholders, each with whether a placeholder follows it."""
        stem, suffix = _split(self.series)
        return [*((text, field is not None) for text, field in _parts(stem)), (suffix, False)]

    def fits(self, file: str) -> bool:
        """Whether the name of a file is one of the series."""
        return fits(self.series, file)

    def numbers(self, file: str) -> dict[str, int]:
        """The epoch and the batch in the name of a file, counted from one; only those that its template has."""
        match = _match(self.series, file)
        fields = match.groupdict() if match is not None else {}
        return {field: int(text) for field, text in fields.items() if text and text.strip().isdecimal()}

    @property
    def last(self) -> str:
        """The name of the file that is saved outside the schedule, at the end or on a signal; not one of the series."""
        return f"{self._stem}.last{self.suffix}"

    @property
    def best(self) -> str:
        """The name of the file with the best weights for EarlyStopping, which restores them; not one of the series."""
        return f"{self._stem}.best{self.suffix}"

    @property
    def _stem(self) -> str:
        stem = os.path.basename(self.series.split("{", 1)[0].removesuffix(self.suffix)).rstrip("-_. ")
        return stem or "checkpoint"

    def numbered(self, name: str, taken: Collection[str]) -> str:
        """The name, with the first free number appended where it is taken."""
        number, candidate = 2, name
        while candidate in taken:
            candidate = f"{name.removesuffix(self.suffix)}-{number}{self.suffix}"
            number += 1
        return candidate

    def check_use(self, save_freq: str | int | None, retained: bool) -> None:
        """Raise ValueError for placeholders that are never known at the time of a save, and for a name without any
        placeholder where several files are to be retained."""
        if retained and not self.fields:
            raise ValueError(f"keep_last, keep_best and keep_every need {{epoch}} or the like in {self.filepath!r}")
        if save_freq == "epoch" and "batch" in self.fields:
            raise ValueError(f"{self.filepath!r}: at the end of an epoch there is no {{batch}}; use save_freq=N")
        late = sorted(name for name in self.fields if name.startswith("val_"))
        if isinstance(save_freq, int) and late:
            raise ValueError(f"{self.filepath!r}: at the end of a batch there is no {', '.join(late)}")

    def check_link(self, link: str) -> None:
        """Raise ValueError for a link that is not beside the files, or whose name one of them may get."""
        if not link or os.path.basename(link) != link or link in (".", ".."):
            raise ValueError(f"link={link!r} is no name of a file beside the checkpoints")
        if self.fits(link) or link in (self.last, self.best) or not link.endswith(self.suffix):
            raise ValueError(
                f"link={link!r} has to end in {self.suffix}, and to be no name that {self.filepath!r} gives to a file"
            )

    def warning(self) -> str:
        """The warning about a name that suggests another container than the one written; empty where it does not."""
        if self.container is Container.LEGACY_WEIGHTS or self.suffix == ".hdf5":
            ending = ".keras" if self.container is Container.LEGACY_MODEL else ".weights.h5"
            return f"{self.filepath!r} is written as {self.container.value}; for the format of Keras 3, use {ending}."
        if self.container is Container.LEGACY_MODEL and self.suffix == ".weights.h5":
            return (
                f"{self.filepath!r} is written as {self.container.value}, as Keras does, and load_weights does not "
                "read that under this name. For weights only, use save_weights_only=True."
            )
        return ""

    def _check(self) -> None:
        """Raise ValueError for a template that can never be filled."""
        try:
            self.name(0, 0, dict.fromkeys(self.logs, 0.0))
        except (ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"filepath={self.filepath!r} cannot be filled: {error}") from error


def fits(series: str, file: str) -> bool:
    """Whether the template of a series gives the name of a file, with or without a number appended."""
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
    """A template without its suffix, and the suffix; empty where it is not one of a checkpoint."""
    whole = os.path.normpath(series).replace(os.sep, "/")
    suffix = next((ending for ending in _SUFFIXES if whole.endswith(ending)), "")
    return whole.removesuffix(suffix), suffix


def _parts(template: str) -> list[tuple[str, str | None]]:
    """The texts of a template, each with the placeholder that follows it, or None; empty where it is no template."""
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
    """The suffix of a name, and the container that Keras writes for it. Raises ValueError for other suffixes."""
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
