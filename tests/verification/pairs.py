"""Pairs of a checkpoint and the model that it is loaded into, as data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, product

from tests.verification import edits, own
from tests.verification.edits import FileEdit
from tests.verification.sources import SOURCES
from tests.verification.stored import ENDINGS, LEGACY, PATHS, File


@dataclass(frozen=True)
class Pair:
    """A checkpoint, perhaps edited, and the model it is loaded into.

    `file` and `model` are names of sources, or of fixtures; a file of a user's own classes has its variant behind `@`.
    `named` is the file name where it is not what Keras gave.
    """

    file: str
    form: str
    model: str
    target: str = "same"
    edit: str = ""
    named: str = ""
    by_name: bool = False

    def __str__(self) -> str:
        into = self.target if self.model == self.file else f"into-{self.model}/{self.target}"
        parts = (self.file, "by-name" if self.by_name else "", self.form, into, self.edit, self.named)
        return "/".join(word for word in parts if word)


def _other(name: str) -> Callable[[list[str]], list[str]]:
    return lambda names: [name, *names[1:]]


PATH_EDITS: dict[str, FileEdit] = {
    "deleted-first": edits.delete(0),
    "deleted-second": edits.delete(1),
    "deleted-last": edits.delete(-1),
    "deleted-first-layer": edits.delete_layer(0),
    "deleted-last-layer": edits.delete_layer(-1),
    "extra": edits.extra("2"),
    "extra-far": edits.extra("7"),
    "extra-text": edits.extra("kernel"),
    "unknown-layer": edits.stranger("layers/dense_77/vars/0"),
    "unknown-group": edits.stranger("notes/vars/0"),
    "unknown-array": edits.stranger("loose"),
    "below-a-layer": edits.stranger("layers/dense/inside/vars/0"),
    "own-weight": edits.stranger("vars/0"),
    "float16": edits.retype(0, "float16"),
    "float64": edits.retype(0, "float64"),
    "int32": edits.retype(0, "int32"),
    "int8": edits.retype(1, "int8"),
    "bool": edits.retype(0, "bool"),
    "complex": edits.imaginary(0),
    "text": edits.text(0),
    "reshaped": edits.reshape(0),
    "flat": edits.flat(0),
    "nothing": edits.nothing(1),
    "compressed": edits.compressed,
    "gap": edits.gap,
    "not-a-number": edits.not_number,
    "names-turned": edits.rename_layers(lambda names: names[::-1]),
    "names-other": edits.rename_layers(lambda names: [f"other_{name}" for name in names]),
    "names-one-other": edits.rename_layers(_other("nobody")),
    "names-removed": edits.names_removed,
}

LEGACY_EDITS: dict[str, FileEdit] = {
    "deleted-first": edits.delete(0),
    "deleted-last": edits.delete(-1),
    "deleted-layer": edits.delete_layer(0),
    "extra": edits.extra("more"),
    "unlisted": edits.unlisted,
    "unknown-layer": edits.stranger("unknown/vector", listed=True),
    "unknown-layer-unlisted": edits.stranger("unknown/vector"),
    "float16": edits.retype(0, "float16"),
    "float64": edits.retype(1, "float64"),
    "int32": edits.retype(0, "int32"),
    "bool": edits.retype(0, "bool"),
    "complex": edits.imaginary(0),
    "text": edits.text(0),
    "reshaped": edits.reshape(0),
    "flat": edits.flat(1),
    "nothing": edits.nothing(0),
    "compressed": edits.compressed,
    "layers-turned": edits.layer_names(lambda names: names[::-1]),
    "layers-moved": edits.layer_names(lambda names: [*names[1:], names[0]]),
    "layers-one-left-out": edits.layer_names(lambda names: names[1:]),
    "layers-one-twice": edits.layer_names(lambda names: [*names, names[0]]),
    "layers-one-for-another": edits.layer_names(lambda names: [names[1], *names[1:]]),
    "layers-missing": edits.layer_names(lambda names: [*names[1:], "nobody"]),
    "layers-none": edits.layer_names(lambda names: []),
    "layer-renamed": edits.layer_renamed,
    "no-layer-names": edits.no_attribute("layer_names"),
    "no-version": edits.no_attribute("keras_version"),
    "no-backend": edits.no_attribute("backend"),
    "weights-turned": edits.weight_names(0, lambda names: names[::-1]),
    "weights-one-left-out": edits.weight_names(0, lambda names: names[1:]),
    "weights-one-twice": edits.weight_names(0, lambda names: [names[0], *names[:-1]]),
    "weights-missing": edits.weight_names(0, lambda names: ["nobody", *names[1:]]),
    "weights-none": edits.weight_names(0, lambda names: []),
    "top-level-weight": edits.top_level,
}

SHARD_EDITS: dict[str, Callable[[File], File]] = {
    "map-empty": edits.shard_map(lambda table: {}),
    "map-turned": edits.shard_map(lambda table: dict(reversed(table.items()))),
    "map-one-left-out": edits.shard_map(lambda table: dict(list(table.items())[1:])),
    "map-last-left-out": edits.shard_map(lambda table: dict(list(table.items())[:-1])),
    "map-as-text": edits.shard_map(lambda table: {key: names[0] for key, names in table.items()}),
    "map-one-file": edits.shard_map(lambda table: dict.fromkeys(table, next(iter(table.values())))),
    "shard-lost": edits.shard_lost,
}

# What holds the weights under a name that sends Keras to another loader.
MISNAMED = (
    ("legacy", "a.weights.h5"),
    ("root", "a.weights.h5"),
    ("weights", "a.h5"),
    ("weights", "a.hdf5"),
    ("keras", "a.h5"),
    ("keras", "a.weights.h5"),
    ("weights", "a.keras"),
    ("legacy", "a.keras"),
    ("legacy", "a.hdf5"),
    ("root", "a.hdf5"),
    ("weights", "a.weights.json"),
    ("weights", "a.ckpt"),
    ("legacy", "aweights.h5"),
    ("weights", "aweights.h5"),
)

# Files of all versions, and the whole models whose architecture they are loaded into. Keras 3 makes no model of most
# configs that older Keras wrote, so their files go into the models that Keras 3 wrote from the same recipe.
FIXTURES = (
    ("keras2.15/cnn.h5", "keras3/cnn.keras"),
    ("keras2.15/cnn.keras", "keras3/cnn.keras"),
    ("keras2.15/cnn_weights.h5", "keras3/cnn.keras"),
    ("keras2.2/cnn.h5", "keras3/cnn.keras"),
    ("keras3/cnn.h5", "keras3/cnn.keras"),
    ("keras3/cnn.keras", "keras3/cnn.keras"),
    ("keras2.15/nested.h5", "keras3/nested.keras"),
    ("keras2.15/nested.keras", "keras3/nested.keras"),
    ("keras2.15/nested_weights.h5", "keras3/nested.keras"),
    ("keras2.2/nested.h5", "keras3/nested.keras"),
    ("keras2.12/nested.keras", "keras3/nested.keras"),
    ("keras3/nested.h5", "keras3/nested.keras"),
    ("keras3/nested.keras", "keras3/nested.keras"),
    ("keras3/nested.weights.h5", "keras3/nested.keras"),
    ("keras2.15/wrappers.h5", "keras3/wrappers.keras"),
    ("keras2.15/wrappers.keras", "keras3/wrappers.keras"),
    ("keras2.15/wrappers_weights.h5", "keras3/wrappers.keras"),
    ("keras2.12/wrappers.keras", "keras3/wrappers.keras"),
    ("keras3/wrappers.h5", "keras3/wrappers.keras"),
    ("keras3/wrappers.keras", "keras3/wrappers.keras"),
    ("keras3/wrappers.weights.h5", "keras3/wrappers.keras"),
    ("keras2.2/cnn_weights.h5", "keras3/cnn.keras"),
    ("keras2.2/recurrent.h5", "keras3/wrappers.keras"),
    ("keras2.15/mlp.h5", "keras2.15/mlp.keras"),
    ("keras2.15/mlp.h5", "keras3/mlp.keras"),
    ("keras2.15/mlp.keras", "keras2.15/mlp.keras"),
    ("keras2.15/mlp.keras", "keras3/mlp.keras"),
    ("keras2.15/mlp.weights.h5", "keras2.15/mlp.keras"),
    ("keras2.15/mlp.weights.h5", "keras3/mlp.keras"),
    ("keras2.15/mlp_weights.h5", "keras2.15/mlp.keras"),
    ("keras2.15/mlp_weights.h5", "keras3/mlp.keras"),
    ("keras2.13/mlp.keras", "keras2.15/mlp.keras"),
    ("keras2.13/mlp.keras", "keras3/mlp.keras"),
    ("keras2.12/mlp.keras", "keras2.15/mlp.keras"),
    ("keras2.12/mlp.keras", "keras3/mlp.keras"),
    ("keras1.2/mlp.h5", "keras2.15/mlp.keras"),
    ("keras1.2/mlp.h5", "keras3/mlp.keras"),
    ("keras3.0/mlp.keras", "keras2.15/mlp.keras"),
    ("keras3.0/mlp.keras", "keras3/mlp.keras"),
    ("keras3.0/mlp.keras", "keras3.0/mlp.keras"),
    ("keras2.15/mlp.keras", "keras3/cnn.keras"),
    ("keras2.15/mlp.h5", "keras2.15/mlp.h5"),
    ("keras0.3/mlp_weights.hdf5", "keras2.15/mlp.keras"),
    ("keras3.0/seeds.keras", "keras3.0/seeds.keras"),
    ("keras3.0/seeds.keras", "keras3/seeds.keras"),
    ("keras3/seeds.keras", "keras3.0/seeds.keras"),
    ("keras3/lora.weights.h5", "keras3/lora.keras"),
    ("keras3/int8.keras", "keras3/int8.keras"),
    ("keras3/int4.keras", "keras3/int4.keras"),
    ("keras3/dict_io.keras", "keras3/dict_io.keras"),
    ("keras3/unicode_names.keras", "keras3/unicode_names.keras"),
    ("keras3/chunked.weights.h5", "keras3/mlp.keras"),
    ("keras3/latest.weights.h5", "keras3/mlp.keras"),
    ("keras3/deflated.keras", "keras3/mlp.keras"),
    ("keras3/npz.keras", "keras3/mlp.keras"),
    ("keras3/mixed_float16.keras", "keras3/mlp.keras"),
)


def _targets() -> Iterator[Pair]:
    """Each model into itself in all formats, and into each target from a file of either kind."""
    paths, legacy = cycle(PATHS), cycle(LEGACY)
    for name, source in SOURCES.items():
        yield from (Pair(name, form, name) for form in source.forms)
        for edit in source.edits:
            yield Pair(name, next(paths), name, edit)
            if "legacy" in source.forms:
                yield Pair(name, next(legacy), name, edit)


def _edited() -> Iterator[Pair]:
    """Edited files into the model that they came from, and some into one that was edited alike."""
    paths, legacy = cycle(("weights", "keras")), cycle(LEGACY)
    for name in ("mlp", "nested", "lora"):
        yield from (Pair(name, next(paths), name, "same", edit) for edit in PATH_EDITS)
    for name in ("mlp", "nested", "conv"):
        yield from (Pair(name, next(legacy), name, "same", edit) for edit in LEGACY_EDITS)
    yield from (Pair("mlp", "shards", "mlp", "same", edit) for edit in SHARD_EDITS)
    yield from (Pair("mlp", form, "mlp", "swap-a-b", "names-turned") for form in ("weights", "keras"))
    yield from (Pair("mlp", form, "mlp", "swap-a-b", "names-removed") for form in ("weights", "keras"))
    yield Pair("mlp", "weights", "mlp", "drop-b", "deleted-first-layer")
    yield from (Pair("mlp", form, "mlp", "turn", "layers-turned") for form in LEGACY)
    yield from (Pair("mlp", "legacy", "mlp", "swap-a-b", edit) for edit in ("weights-turned", "layers-moved"))


def _named() -> Iterator[Pair]:
    """Files under names that another loader takes."""
    for name in ("mlp", "weightless"):
        yield from (Pair(name, form, name, named=named) for form, named in MISNAMED)


def _by_name() -> Iterator[Pair]:
    """Pairs for the loader by name: changed models, changed files, and files that it does not take."""
    for name in ("mlp", "nested", "bidirectional"):
        for target in ("same", *SOURCES[name].edits):
            yield Pair(name, "legacy", name, target, by_name=True)
    changes = (
        "deleted-first",
        "deleted-layer",
        "unknown-layer",
        "layers-turned",
        "layers-one-left-out",
        "layer-renamed",
    )
    more = ("weights-turned", "weights-one-left-out", "top-level-weight", "float16", "flat", "layers-one-twice")
    yield from (Pair("mlp", "root", "mlp", "same", edit, by_name=True) for edit in changes + more)
    yield from (Pair("mlp", form, "mlp", by_name=True) for form in PATHS)
    yield from (Pair("mlp", "legacy", "nested", by_name=True), Pair("nested", "legacy", "mlp", by_name=True))


def _crossed() -> Iterator[Pair]:
    """The file of one model into another."""
    for file, target in (("mlp", "nested"), ("nested", "mlp"), ("many", "mlp"), ("fork", "mlp"), ("lora", "quantized")):
        yield from (Pair(file, form, target) for form in ("weights", "legacy"))
    yield from (Pair(file, _form(file), model) for file, model in FIXTURES)


def _of_own_classes() -> Iterator[Pair]:
    """Models of a user's own classes into their variants, which only a live model tells."""
    for name, variants in own.VARIANTS.items():
        for target in variants:
            yield from (Pair(name, form, name, target) for form in ("weights", "root"))
            yield from (Pair(name, form, name, target) for form in ("keras", "shards") if target == "same")
        yield from (Pair(f"{name}@{variant}", "weights", name) for variant in variants[1:])
    for variant, target in product(own.VARIANTS["shared"], repeat=2):
        if "same" not in (variant, target):
            yield Pair(f"shared@{variant}", "weights", "shared", target)


def _form(file: str) -> str:
    """The format of a fixture."""
    return next(form for form, ending in ENDINGS.items() if file.replace(".hdf5", ".h5").endswith(ending))


PAIRS: tuple[Pair, ...] = (*_targets(), *_edited(), *_named(), *_by_name(), *_crossed(), *_of_own_classes())
