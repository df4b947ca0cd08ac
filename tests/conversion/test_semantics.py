"""Defaults of constructors of genuine Keras 1.2.2, 2.2.4 and 2.15 beside those of 3.15: docs/semantics.md lists what
changed, and a config that leaves an argument out is filled with what its writer took."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ckpttool.conversion.config.changed_semantics import Site, with_old_meaning
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import snake_case
from ckpttool.model.defaults import class_called, defaults_of
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.layers.table import LAYERS
from tests.samples import FIXTURES

DOCS = Path(__file__).parents[2] / "docs" / "semantics.md"
VERSIONS = {"keras1.2": Generation.KERAS_1, "keras2.2": Generation.KERAS_2, "keras2.15": Generation.KERAS_2}
RECORDED = {version: json.loads((FIXTURES / "every_layer" / f"{version}.json").read_text()) for version in VERSIONS}
# Arguments that are worked out from others where they are none, or that say where and of what type a layer is.
DERIVED = {"dtype", "name", "trainable", "strides", "batch_shape", "value_dim", "vocabulary_size"}


def plain(key: str, value: Any) -> Any:
    """A value as short as can be: objects as their class makes them by name, sizes that are alike as one."""
    if isinstance(value, dict) and "class_name" in value:
        name, config = value["class_name"], value["config"]
        kind = f"{key.rpartition('_')[2]}s"
        own = defaults_of(kind, class_called(kind, snake_case(name)) or name) or {}
        other = {one: item for one, item in config.items() if own.get(one) != item}
        return ", ".join([snake_case(name), *(f"{one} {item}" for one, item in other.items())])
    if isinstance(value, list) and value and all(plain(key, item) == plain(key, value[0]) for item in value):
        return plain(key, value[0])
    return round(value, 6) if isinstance(value, float) else value


def changed(version: str) -> Iterator[tuple[str, str, Any, Any]]:
    """(class, argument, old default, default of today) where they are not the same."""
    for name, config in RECORDED[version].items():
        new = normalized({"class_name": name, "config": config}, VERSIONS[version])
        defaults = defaults_of("layers", new["class_name"]) if new["class_name"] in LAYERS else None
        for key in sorted(new["config"].keys() & (defaults or {}).keys() - DERIVED):
            old, now = plain(key, new["config"][key]), plain(key, defaults[key]) if defaults else None
            if old != now:
                yield new["class_name"], key, old, now


def rows() -> list[str]:
    """The lines of the table in the documentation: one for each argument whose default changed."""
    rows = dict[tuple[str, str, str], dict[str, Any]]()
    for version in VERSIONS:
        for name, key, old, now in changed(version):
            rows.setdefault((key, f"{now}", name), {})[version] = old
    return [
        f"| {name} | `{key}` | {' | '.join(str(olds.get(version, '')) for version in VERSIONS)} | {now} |"
        for (key, now, name), olds in sorted(rows.items())
    ]


def test_defaults_that_changed_are_listed() -> None:
    """In docs/semantics.md, all of them and no others."""
    listed = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| ") and "`" in line]
    table = [line for line in listed if line.count("|") == 7]
    assert table == rows()


CHANGED = [
    (version, *change) for version in VERSIONS for change in changed(version) if not change[1].endswith("_initializer")
]


@pytest.mark.parametrize(("version", "class_name", "key", "old", "now"), CHANGED, ids=str)
def test_what_a_config_leaves_out_is_what_its_writer_took(
    version: str, class_name: str, key: str, old: Any, now: Any
) -> None:
    """A default that decides on the output of a layer is that of the Keras that wrote the config."""
    old_key = {"recurrent_activation": "inner_activation"}.get(key)
    left = {name: value for name, value in RECORDED[version][class_name].items() if name not in (key, old_key)}
    args = Args.of(normalized({"class_name": class_name, "config": left}, VERSIONS[version]))
    number = version.removeprefix("keras")
    config = with_old_meaning(args, Site("layer", args, None, Origin(f"{number}.0")), Journal())
    assert config.get(key, now) == old
