"""The output of the commands, word by word. `pytest --update-golden` writes it anew, to be read in review."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import GOLDEN
from tests.samples import FIXTURES

# name of the golden file -> arguments; paths are relative to fixtures/
CASES: dict[str, list[str]] = {
    "diff.txt": ["diff", "tuned/base.keras", "tuned/tuned.keras"],
    "diff-layers.txt": ["diff", "keras2.2/nested.h5", "keras2.15/nested.h5", "--layers", "--top", "2", "--optimizer"],
    "diff-color.txt": ["diff", "keras3/mlp.keras", "keras3/mlp.h5", "--color", "always"],
    "diff-frozen.txt": ["diff", "tuned/base.keras", "tuned/tuned.keras", "--expect-frozen", "head"],
    "diff.json": ["diff", "tuned/base.keras", "tuned/tuned.keras", "-o", "json"],
    "diff-layers.json": ["diff", "tuned/base.keras", "tuned/tuned.keras", "--layers", "--optimizer", "-o", "json"],
    "diff.md": ["diff", "keras3/cnn.keras", "keras2.2/cnn.h5", "-o", "markdown"],
    "textconv-keras1.txt": ["textconv", "keras1.2/bidirectional.h5"],
    "textconv-odd.txt": ["textconv", "keras3/odd.keras"],
    "ls-keras.txt": ["ls", "keras3/nested.keras"],
    "ls-keras-layers.txt": ["ls", "keras3/cnn.keras", "--layers"],
    "ls-keras-tree.txt": ["ls", "keras3/nested.keras", "--tree"],
    "ls-keras-tree-depth.txt": ["ls", "keras3/wrappers.keras", "--tree", "--depth", "1"],
    "ls-keras-depth.txt": ["ls", "keras3/nested.keras", "--depth", "1"],
    "ls-keras-all.txt": ["ls", "keras2.15/mlp.keras", "--section", "all"],
    "ls-keras-color.txt": ["ls", "keras3.0/mlp.keras", "--color", "always"],
    "ls-legacy.txt": ["ls", "keras2.15/nested.h5"],
    "ls-legacy-layers.txt": ["ls", "keras2.15/nested.h5", "--layers"],
    "ls-keras0.txt": ["ls", "keras0.3/lstm_weights.hdf5", "--layers"],
    "ls-keras1-stats.txt": ["ls", "keras1.2/cnn_weights.h5", "--stats"],
    "ls-weights-inferred.txt": ["ls", "keras2.15/mlp.weights.h5"],
    "ls-sharded.txt": ["ls", "keras3/sharded/sharded.weights.json"],
    "ls-subclassed.txt": ["ls", "keras3/subclassed.weights.h5"],
    "ls-odd-measured.txt": ["ls", "keras3/odd.keras", "--stats", "--sha256"],
    "ls-match-sort.txt": ["ls", "keras3/many.weights.h5", "--match", "step_1*", "--sort", "params"],
    "ls-plain.txt": ["ls", "broken/plain.h5"],
    "ls-several.txt": ["ls", "keras3/mlp.keras", "keras2.15/mlp.h5", "broken/text.h5"],
    "ls-directory.txt": ["ls", "keras3"],
    "ls.json": ["ls", "keras3/lora.keras", "--sha256", "-o", "json"],
    "ls-layers.json": ["ls", "keras3/nested.h5", "--layers", "-o", "json"],
    "ls-several.json": ["ls", "keras0.3/mlp_weights.hdf5", "broken/empty.h5", "-o", "json"],
    "ls.csv": ["ls", "keras3/odd.keras", "--sha256", "-o", "csv"],
    "ls-layers.csv": ["ls", "keras3/cnn.keras", "--layers", "-o", "csv"],
    "ls-several.csv": ["ls", "keras3/mlp.keras", "keras2.2/cnn.h5", "broken/page.h5", "-o", "csv"],
    "ls.md": ["ls", "keras2.2/recurrent.h5", "--stats", "-o", "markdown"],
    "ls-layers.md": ["ls", "keras3/nested.keras", "--layers", "-o", "markdown"],
    "ls-directory.md": ["ls", "keras2.15", "-o", "markdown"],
    "info-keras.txt": ["info", "keras3/nested.keras"],
    "info-mixed.txt": ["info", "keras3/mixed_float16.keras"],
    "info-legacy.txt": ["info", "keras2.15/mlp.h5"],
    "info-keras1.txt": ["info", "keras1.2/bidirectional.h5"],
    "info-keras0.txt": ["info", "keras0.3/cnn_weights.hdf5"],
    "info-weights.txt": ["info", "keras3/mlp.weights.h5"],
    "info-misnamed.txt": ["info", "keras2.12/h5_named.keras"],
    "info.json": ["info", "keras3/cnn.keras", "-o", "json"],
    "info-legacy.json": ["info", "keras2.2/recurrent.h5", "-o", "json"],
    "info-config.json": ["info", "keras3.0/seeds.keras", "--config"],
}

# Golden files of tests/render/test_graph.py and tests/comparison/test_graph_changes.py.
GRAPHS = {
    *(f"graph-{model}.{output}" for model in ("nested", "folded") for output in ("mermaid", "dot", "json", "svg")),
    *(f"graph-changes.{output}" for output in ("mermaid", "dot", "svg")),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(
    name: str, run: Callable[..., Any], golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard output, standard error and exit code are those that were last read and approved."""
    monkeypatch.chdir(FIXTURES)
    outcome = run(*CASES[name])
    text = f"{outcome.out}[standard error]\n{outcome.err}" if outcome.err else outcome.out
    golden(name, f"{text}[exit code {outcome.code}]\n" if outcome.code else text)


def test_no_golden_file_is_left_over() -> None:
    """Every golden file belongs to a case."""
    assert {path.name for path in GOLDEN.iterdir()} == {*CASES, *GRAPHS}
