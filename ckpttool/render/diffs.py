"""Rows and lines of diffs, shared by the outputs."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ckpttool.comparison import AssetChange, Comparison, ConfigChange, Diff, Evidence, Pair, Side, State, Unit
from ckpttool.comparison.change import ABSENT
from ckpttool.escape import printable
from ckpttool.formats import FORMATS
from ckpttool.render.style import Style, count_of, number, producer, shape, size
from ckpttool.render.verdicts import collapsed

_BAR = 8  # places of a bar: one for each power of ten below 1
_LONG = 60  # characters of a value of a config
_WHY = {
    Evidence.SLOT: "by the configs",
    Evidence.PATH: "at the same place",
    Evidence.NAME: "by name",
    Evidence.ORDER: "by order",
    Evidence.CONTENT: "the same values",
    Evidence.LIKENESS: "nearly the same values",
}


class Block(NamedTuple):
    """One part of a diff as a table: its title, column titles and rows, and a line on rows that are left out."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    rest: str = ""


def blocks(result: Diff, style: Style) -> Iterator[Block]:
    """The parts of a diff that are not empty."""
    structure = list(_structure(result))
    if structure:
        yield Block("structure", ("change", "in a", "in b", "why"), structure)
    values = list(_layers(result) if style.layers else map(_weight, result.changed))
    if values and style.sparklines and not style.layers:
        drawn = [[*row, *_sparklines(pair)] for row, pair in zip(values, result.changed, strict=True)]
        yield _cut("values", (*VALUE_HEADERS, "values in a", "in b"), drawn, style.top)
    elif values:
        yield _cut("values", VALUE_HEADERS, values, style.top)
    state = list(map(_weight, result.state.pairs)) if result.counts_state and result.state else []
    changed = [
        row for row, pair in zip(state, result.state.pairs if result.state else (), strict=False) if pair.changed
    ]
    if changed:
        yield _cut("optimizer state", VALUE_HEADERS, changed, style.top)
    if result.config:
        yield Block("config", ("layer", "key", "in a", "in b"), list(map(_setting, result.config)))
    if result.assets:
        yield Block("assets", ("layer", "file", "change"), list(map(_asset, result.assets)))


VALUE_HEADERS = ("weight", "relative", "", "changed", "max |a-b|", "mean |a-b|", "cosine", "max ULP", "NaN, Inf")


def _sparklines(pair: Pair) -> tuple[str, str]:
    from ckpttool.render.sparklines import two_sparklines  # here, since only terminals show them

    return two_sparklines(*pair.histograms) if pair.histograms else ("", "")


def _cut(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], top: int | None) -> Block:
    if top is None or len(rows) <= top:
        return Block(title, headers, rows)
    return Block(title, headers, rows[:top], f"and {len(rows) - top:,} more that changed less")


def sides(result: Diff) -> list[str]:
    """A line on each of the two checkpoints: path, format, producer and size."""
    return [f"{mark} {_side(side)}" for mark, side in (("a", result.a), ("b", result.b))]


def _side(side: Side) -> str:
    facts = [FORMATS[side.kind].title, producer(side.producer), size(side.size)]
    return f"{printable(str(side.path))}: {', '.join(filter(None, facts))}"


def compared(result: Diff) -> int:
    """The number of weights whose values were compared: those of other shapes, and those that cannot be read, were
    not."""
    return len(result.pairs) - len(result.reshaped) - sum(bool(pair.problem) for pair in result.pairs)


def headline(result: Diff) -> str:
    """A line with the verdict and the number of weights of each kind of change."""
    changed, known = len(result.changed), compared(result)
    fate = f"{changed:,} changed" if changed else "all the same" if known > 1 else "the same" if known else ""
    facts = [", ".join(filter(None, (f"{count_of(known, 'weight')} compared", fate))), *_counted(result)]
    same = "the same in meaning" if result.restated else "the same"
    same = same if result.is_complete else "cannot tell"
    return f"{'different' if result.differences else same}: {'; '.join(facts)}"


def _counted(result: Diff) -> Iterator[str]:
    counts = (
        ("removed", len(result.removed)),
        ("added", len(result.added)),
        ("reshaped", len(result.reshaped)),
        ("of another dtype", len(result.retyped)),
        ("unreadable", len(result.unreadable)),
    )
    yield from (f"{count:,} {noun}" for noun, count in counts if count)
    moved = len(result.moves)
    if moved:
        yield f"{moved:,} layer{'s' * (moved > 1)} renamed"
    settings = len(result.settings)
    if settings:
        yield f"{settings:,} setting{'s' * (settings > 1)} changed"
    files = len(result.assets)
    if files:
        yield f"{files:,} asset{'s' * (files > 1)} changed"


def _asset(change: AssetChange) -> list[str]:
    """The row of a file beside the weights that differs between the sides."""
    return [printable(change.layer, 200), printable(change.a or change.b, 200), _of_asset(change)]


def _of_asset(change: AssetChange) -> str:
    if not change.a or not change.b:
        return "removed" if change.a else "added"
    if change.removed is None or change.added is None:
        return "other bytes"
    counts = [f"{count:,} {kind}" for kind, count in (("removed", change.removed), ("added", change.added)) if count]
    return f"vocabulary changed: {', '.join(counts) or 'the same entries in another order'}"


def _structure(result: Diff) -> Iterator[list[str]]:
    for move in result.moves:
        kind = "swapped" if move.swapped else "renamed"
        yield [kind, printable(move.layer, 200), printable(move.new_layer, 200), _WHY[move.evidence]]
    for kind, pairs in (("reshaped", result.reshaped), ("retyped", result.retyped)):
        for pair in pairs:
            one, other = (_described(unit) for unit in (pair.a, pair.b))
            yield [kind, one, other, _WHY[pair.evidence]]
    for kind, units in (("removed", result.removed), ("added", result.added)):
        for label in _collapsed(units):
            yield [kind, label, "", ""] if kind == "removed" else [kind, "", label, ""]
    for pair in result.unreadable:
        yield ["unreadable", _described(pair.a), _described(pair.b), printable(pair.problem, 200)]


def _described(unit: Unit) -> str:
    return f"{printable(unit.name, 200)} {shape(unit.shape)} {printable(unit.dtype, 40)}"


def _collapsed(units: Iterable[Unit]) -> Iterator[str]:
    """Labels of weights; weights whose names differ in one number share a line."""
    groups: dict[tuple[str, ...], list[Unit]] = {}
    for unit in units:
        kind = "".join("#" if character.isdigit() else character for character in unit.name)
        groups.setdefault((kind, shape(unit.shape), unit.dtype), []).append(unit)
    for (_, dims, dtype), group in groups.items():
        label = collapsed([unit.name for unit in group])
        if label is None:
            yield from map(_described, group)
        else:
            yield f"{printable(label, 200)} {dims} {printable(dtype, 40)}"


def _weight(pair: Pair) -> list[str]:
    label = pair.a.name if pair.a.name == pair.b.name else f"{pair.a.name} -> {pair.b.name}"
    return [printable(label, 200), *comparison_cells(pair.comparison)]


def _layers(result: Diff) -> Iterator[list[str]]:
    for layer in result.by_layer():
        comparison = layer.comparison
        if comparison.changed:
            name = layer.layer if layer.layer == layer.new_layer else f"{layer.layer} -> {layer.new_layer}"
            yield [printable(name or "(model)", 200), *comparison_cells(comparison)]


def comparison_cells(comparison: Comparison | None) -> list[str]:
    """The cells of a comparison below all of `VALUE_HEADERS` but the first."""
    if comparison is None:
        return [""] * (len(VALUE_HEADERS) - 1)
    return [
        number(comparison.relative_l2),
        bar(comparison.relative_l2),
        share(comparison),
        number(comparison.max_abs),
        number(comparison.mean_abs),
        _cosine(comparison.cosine),
        "" if comparison.max_ulp is None else f"{comparison.max_ulp:,}",
        _not_finite(comparison),
    ]


def bar(relative: float) -> str:
    """A relative change as a bar: full from 1 on, and an eighth shorter for every power of ten below."""
    if not relative:
        return ""
    eighths = 8 * _BAR if relative >= 1 else max(1, round(8 * (_BAR + math.log10(relative))))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + ("" if not rest else "▏▎▍▌▋▊▉"[rest - 1])


def share(comparison: Comparison) -> str:
    """The share of elements that changed; never 0 % of some, never 100 % of not all."""
    percent = 100 * comparison.share
    if comparison.changed == comparison.count:
        return "100%"
    return "<0.01%" if 0 < percent < 0.01 else f"{min(percent, 99.99):.2f}%"


def _cosine(cosine: float | None) -> str:
    return "" if cosine is None else f"{cosine:.6f}"


def _not_finite(comparison: Comparison) -> str:
    counts = (("NaN", comparison.nan_gained, comparison.nan_lost), ("Inf", comparison.inf_gained, comparison.inf_lost))
    return ", ".join(
        f"{sign}{n:,} {noun}" for noun, more, less in counts for sign, n in (("+", more), ("-", less)) if n
    )


def _setting(change: ConfigChange) -> list[str]:
    return setting_cells(change, _LONG)


def setting_cells(change: ConfigChange, longest: int) -> list[str]:
    """The cells of a changed setting, of whose values at most so many characters are shown."""
    renamed = change.new_layer and change.layer and change.new_layer != change.layer
    layer = f"{change.layer} -> {change.new_layer}" if renamed else change.layer or change.new_layer
    return [printable(layer, 200), printable(change.key, 100), _value(change.old, longest), _value(change.new, longest)]


def _value(value: Any, longest: int) -> str:
    """A value of a config, shortened for a cell."""
    if value is ABSENT:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True, default=str)
    return printable(text if len(text) <= longest else f"{text[:longest]}...", 4 * longest)


def remarks(result: Diff) -> list[str]:
    """Lines below the tables: changes without a change of meaning, the total, the optimizer, notes."""
    lines = []
    if result.restated:
        lines.append(f"equal in meaning: {'; '.join(printable(change.what, 200) for change in result.restated)}")
    if len(result.changed) > 1:
        total = result.total
        facts = f"relative {number(total.relative_l2)}, {share(total)} of {total.count:,} values changed"
        lines.append(f"in all: {facts}, cosine {_cosine(total.cosine) or 'undefined'}")
    if result.state is not None:
        lines.append(f"optimizer: {_state(result.state)}{'' if result.counts_state else ' (not counted)'}")
    return [*lines, *(f"note: {printable(note, 400)}" for note in result.notes)]


def _state(state: State) -> str:
    facts = [
        _both("", state.class_names, str),
        _both("iteration ", state.iterations, "{:,}".format),
        _both("learning rate ", state.learning_rates, "{:.6g}".format),
    ]
    changed = [pair for pair in state.pairs if pair.changed]
    variables = (
        f"{len(changed):,} of {len(state.pairs):,} variables changed" if state.pairs else "no variables compared"
    )
    only = [f"{len(units):,} {kind}" for units, kind in ((state.removed, "removed"), (state.added, "added")) if units]
    return ", ".join(filter(None, (*facts, variables, *only)))


def _both(label: str, values: tuple[Any, Any], text: Any) -> str:
    one, other = ("none" if value is None else printable(text(value), 60) for value in values)
    if values == (None, None):
        return ""
    return f"{label}{one}" if one == other else f"{label}{one} -> {other}"
