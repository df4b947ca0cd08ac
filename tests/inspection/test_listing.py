"""The listing of `ls`: rows, layers and totals."""

import json
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import Section
from ckpttool.checkpoint import Checkpoint, Refusal, Weight
from ckpttool.inspection.listing import SORTS, Choice, LayerRow, Listing, Total, list_checkpoint
from ckpttool.model.summary import LayerGraph
from tests.samples import FIXTURES, keras_like
from tests.work import Calls


def listing(name: str | Path, **choice: Any) -> Listing:
    """The listing of a fixture."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        return list_checkpoint(checkpoint, Choice(**choice))


def checkpoint_of(*weights: Weight, config: Any = None, kind: str = "weights-h5") -> Checkpoint:
    """A checkpoint that is in no file."""
    return Checkpoint(Path("m.weights.h5"), kind, 1, {weight.path: weight for weight in weights}, config=config)


def weight(path: str, size: int = 1, section: Section = Section.MODEL, **more: Any) -> Weight:
    """A weight that is in no file."""
    return Weight(path, (size,), "float32", 4 * size, section, **more)


def labels(listed: Listing) -> list[tuple[str, str]]:
    """The names of the rows."""
    return [(row.layer, row.label) for row in listed.rows]


def test_stored_names() -> None:
    """Names that the file stores are shown as they are, the layer's own repetition in them left out."""
    assert labels(listing("keras2.15/cnn.h5"))[:3] == [("stem", "kernel"), ("norm", "gamma"), ("norm", "beta")]
    assert ("bi", "forward_lstm/lstm_cell/kernel") in labels(listing("keras2.15/wrappers.h5"))
    assert labels(listing("keras1.2/mlp.h5"))[0] == ("hidden", "W")
    assert labels(listing("keras0.3/mlp_weights.hdf5"))[0] == ("layer_0", "param_0")
    assert ("bi", "forward_lstm/lstm_cell/0") in labels(listing("keras3/wrappers.weights.h5"))


def test_inferred_names() -> None:
    """Names that the file does not store come from the config or the path, and say so."""
    by_config = listing("keras3.0/mlp.keras")
    assert labels(by_config)[:4] == [
        ("hidden", "kernel"),
        ("hidden", "bias"),
        ("output", "kernel"),
        ("output", "bias"),
    ]
    assert all(row.inferred and row.class_name == "Dense" for row in by_config.rows[:4])
    by_path = listing("keras2.15/mlp.weights.h5")
    assert labels(by_path)[0] == ("dense", "0")
    assert all(row.inferred and row.class_name is None for row in by_path.rows[:4])
    assert not any(row.inferred for row in listing("keras3/mlp.weights.h5").rows)
    assert labels(listing("keras2.12/windows_paths.keras"))[2] == ("output", "kernel")


def test_numbering_of_2_12() -> None:
    """Keras 2.12 numbers each layer twice; its names are still found by the config."""
    assert {layer for layer, _ in labels(listing("keras2.12/nested.keras"))} == {
        "block/batch_normalization",
        "block/before",
        "block/core/core_in",
        "block/core/core_out",
        "metrics",
        "optimizer",
        "shared/dense",
        "verdict",
    }


def test_sections() -> None:
    """Sections are chosen; the totals are over the whole file whatever was chosen."""
    whole, model = listing("keras3/mlp.keras"), listing("keras3/mlp.keras", sections=frozenset({Section.MODEL}))
    assert (len(whole.rows), len(model.rows)) == (14, 4)
    assert whole.totals == model.totals == {Section.MODEL: Total(4, 67, 268), Section.OPTIMIZER: Total(10, 136, 548)}
    assert {row.layer for row in whole.rows if row.weight.section is Section.OPTIMIZER} == {"optimizer"}


@pytest.mark.parametrize(
    ("globs", "count"),
    [
        (("hidden",), 2),
        (("hid*",), 2),
        (("*/0",), 3),
        (("hidden/kernel",), 1),
        (("layers/dense_1/vars/*",), 2),
        (("HIDDEN",), 0),
        (("hidden", "output"), 4),
        (("[ho]*",), 14),
        (("",), 0),
        (("*",), 14),
    ],
)
def test_match(globs: tuple[str, ...], count: int) -> None:
    """A glob is matched against layer, path, layer and weight, and stored name; case counts; any of several will do."""
    listed = listing("keras3/mlp.keras", match=globs)
    assert len(listed.rows) == count


def test_match_by_stored_name() -> None:
    """A stored name such as `dense/kernel:0` can be matched."""
    assert labels(listing("keras2.15/mlp.h5", match=("*/kernel:0",)))[0] == ("hidden", "kernel")


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_sorts(sort: str) -> None:
    """Rows are sorted as named, ties in stored order, and none is lost."""
    stored, listed = listing("keras3/many.weights.h5"), listing("keras3/many.weights.h5", sort=sort)
    assert sorted(row.weight.path for row in listed.rows) == sorted(row.weight.path for row in stored.rows)
    keys = [SORTS[sort](row) for row in listed.rows]
    assert keys == sorted(keys)
    if sort == "stored":
        assert listed.rows == stored.rows


def test_layers_in_order_of_the_config() -> None:
    """Layers come in the order of the config, those without weights included, models themselves not."""
    sizes = [(layer.layer, len(layer.rows)) for layer in listing("keras3/cnn.keras").by_layer()]
    assert sizes == [
        ("image", 0), ("stem", 1), ("norm", 4), ("re_lu", 0), ("dropout", 0), ("conv2d", 2), ("residual", 0),
        ("depthwise_conv2d", 2), ("global_average_pooling2d", 0), ("extra", 0), ("concatenate", 0), ("score", 2),
    ]  # fmt: skip


def test_nested_models() -> None:
    """A nested model comes before its layers, with a row of its own; where the file names it alone, they have none."""
    layers = {layer.layer: layer for layer in listing("keras3/nested.keras").by_layer()}
    assert [name for name in layers if name.startswith("block")][:3] == ["block", "block/input_layer_1", "block/before"]
    assert (layers["block"].class_name, layers["block"].rows) == ("Sequential", ())
    legacy = [layer.layer for layer in listing("keras3/nested.h5").by_layer()]
    assert legacy == ["left", "shared", "right", "block", "add", "verdict", "optimizer"]


@pytest.mark.parametrize("name", ["keras3/nested.h5", "keras2.15/nested.h5", "keras3/nested.keras"])
@pytest.mark.parametrize("globs", [(), ("block*", "shared*")])
def test_costs_of_nested_models(name: str, globs: tuple[str, ...]) -> None:
    """The rows have all costs: a model whose layers have no rows has theirs."""
    listed = listing(name, cost=(), match=globs)
    assert listed.cost is not None
    rows = listed.by_layer()
    inside = [cost for cost in listed.cost.layers if not globs or cost.layer.startswith(("block", "shared"))]
    for key in ("macs", "flops"):
        assert sum(getattr(row.cost, key) for row in rows if row.cost) == sum(getattr(cost, key) for cost in inside)


def test_layers_of_a_part() -> None:
    """Only layers with rows are shown where rows were chosen or sorted."""
    choices = (({"match": ("stem",)}, 1), ({"sort": "size"}, 5), ({"sections": frozenset({Section.OTHER})}, 0))
    for choice, count in choices:
        layers = listing("keras3/cnn.keras", **choice).by_layer()
        assert len(layers) == count
        assert all(layer.rows for layer in layers)


def test_layer_totals() -> None:
    """The totals of layers sum up to the total of the file."""
    listed = listing("keras3/wrappers.keras")
    whole = listed.totals[Section.MODEL]
    layers = [layer.total for layer in listed.by_layer()]
    assert sum(total.weights for total in layers) == whole.weights == len(listed.rows)
    assert sum(total.params for total in layers) == whole.params
    assert sum(total.nbytes for total in layers) == whole.nbytes


@pytest.mark.parametrize(
    ("name", "trainable", "others"),
    [
        ("keras3/nested.keras", 77, 33),
        ("keras3/nested.h5", 77, 33),
        ("keras2.15/nested.keras", 77, 33),
        ("keras2.15/nested.h5", 77, 33),
        ("keras2.12/nested.keras", 77, 33),
        ("keras2.2/nested.h5", 49, 23),
        ("keras3/cnn.keras", 210, 116),
        ("keras3/cnn.h5", 210, 116),
        ("keras3/mlp.keras", 67, 0),
        ("keras3/mlp.weights.h5", None, None),
    ],
)
def test_parameters_by_training(name: str, trainable: int | None, others: int | None) -> None:
    """Parameters that are trained and that are not are counted as Keras counts them, where a config tells."""
    listed = listing(name)
    sums = [total and total.params for total in (listed.trainable, listed.non_trainable)]
    assert sums == [trainable, others]


def test_frozen_layers() -> None:
    """A layer is frozen where its config says so, or that of a model around it."""
    assert {layer.layer for layer in listing("keras3/nested.keras").by_layer() if layer.frozen} == {
        "block/core/core_in"
    }
    assert {layer.layer for layer in listing("keras3/cnn.keras").by_layer() if layer.frozen} == {"stem"}
    assert {layer.frozen for layer in listing("keras3/mlp.weights.h5").by_layer()} == {None}


def test_a_config_of_junk() -> None:
    """Weights keep their numbers where a config makes no sense, nothing is said of training, and a note says why."""
    layers = [{"class_name": "Dense", "config": {"name": "a", "units": "many"}}]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    listed = list_checkpoint(checkpoint_of(weight("layers/dense/vars/0", layer="a"), config=config))
    assert [(row.layer, row.label, row.class_name, row.trainable) for row in listed.rows] == [("a", "0", "Dense", None)]
    assert any("units cannot be used" in note for note in listed.notes)


def test_graph() -> None:
    """Shapes and connections of layers are told where they are asked for; Sequential models are connected by order."""
    assert all(layer.graph is None for layer in listing("keras3/cnn.keras").by_layer())
    graphs = {layer.layer: layer.graph for layer in listing("keras3/cnn.keras", graph=True).by_layer()}
    residual, score = graphs["residual"], graphs["score"]
    assert residual is not None
    assert residual.shapes == ((None, 8, 8, 4),)
    assert [tensor.layer for tensor in residual.inbound] == ["conv2d", "stem"]
    assert score is not None
    assert score.shapes == ((None, 2),)
    chained = [layer.graph for layer in listing("keras3/mlp.keras", graph=True).by_layer()]
    assert all(graph is not None and graph.shapes and not graph.inbound for graph in chained[:3])


def test_shapes_of_several_outputs_and_calls() -> None:
    """All outputs of a call are listed, alike ones too; calls with the same outputs once."""
    sequence, state = (None, 4, 3), (None, 3)
    assert LayerGraph(((sequence, state, state),)).shapes == (sequence, state, state)
    assert LayerGraph(((state,), (state,), (sequence,))).shapes == (state, sequence)


def test_ambiguous_names_inside_a_model() -> None:
    """Nothing is claimed where two layers of a nested model have one name and one is frozen."""
    dense = {"class_name": "Dense", "config": {"name": "d"}}
    frozen = {"class_name": "Dense", "config": {"name": "d", "trainable": False}}
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [dense, frozen]}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [inner]}}
    stored = weight("inner/d/kernel:0", layer="inner", name="d/kernel:0")
    assert list_checkpoint(checkpoint_of(stored, config=config)).rows[0].trainable is None


def test_measured() -> None:
    """Statistics and checksums are computed where asked for, of the chosen rows only."""
    listed = listing("keras3/mlp.keras", match=("hidden",), stats=True, sha256=True)
    assert all(row.stats and row.sha256 and row.stats.count == row.weight.size for row in listed.rows)
    assert all(row.stats is None and row.sha256 is None for row in listing("keras3/mlp.keras").rows)


def test_progress_is_reported_of_every_byte() -> None:
    """Progress adds up to the bytes of the chosen rows; without anything to read it hears nothing."""
    reported: list[int] = []
    with ckpttool.open(FIXTURES / "keras3/wrappers.keras") as checkpoint:
        listed = list_checkpoint(checkpoint, Choice(stats=True, sha256=True), reported.append)
        assert sum(reported) == sum(row.weight.nbytes for row in listed.rows)
        reported.clear()
        list_checkpoint(checkpoint, Choice(), reported.append)
        assert reported == []


def test_unreadable_weight_says_why() -> None:
    """A weight that cannot be read gets the reason; the others are measured."""
    odd = Weight("layers/a/vars/0", (1,), "string", 8, Section.MODEL)
    listed = list_checkpoint(checkpoint_of(odd), Choice(stats=True))
    assert listed.rows[0].stats is None
    assert "string" in listed.rows[0].problem


def test_notes() -> None:
    """A file of optimizer state only, foreign HDF5, and names that act on a terminal are remarked on."""
    state = [weight(f"optimizer/vars/{number}", section=Section.OPTIMIZER) for number in range(3)]
    assert any("state of an optimizer" in note for note in list_checkpoint(checkpoint_of(*state)).notes)
    assert any("no Keras checkpoint" in note for note in listing("broken/plain.h5").notes)
    hostile = weight("layers/a/vars/0", layer="a\x1b[2J")
    assert any("1 name has" in note and "escaped" in note for note in list_checkpoint(checkpoint_of(hostile)).notes)
    assert listing("keras3/mlp.keras").notes == ()


def test_total_of_nothing() -> None:
    """Nothing sums up to nothing; an empty checkpoint has no totals."""
    assert Total.of([]) == Total(0, 0, 0)
    empty = list_checkpoint(checkpoint_of())
    assert (empty.rows, empty.totals, empty.trainable, empty.by_layer()) == ((), {}, None, ())


def test_names_of_slashes(tmp_path: Path) -> None:
    """A layer name of a hundred thousand slashes costs no call for each of them."""
    layers = [{"class_name": "Dense", "config": {"name": name}} for name in ("a/" * 100_000, "b", "/" * 100_000)]
    config = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}).encode()
    with Calls() as calls, ckpttool.open(keras_like(tmp_path / "m.keras", config=config)) as checkpoint:
        listed = list_checkpoint(checkpoint)
    assert [len(layer.rows) for layer in listed.by_layer()][:3] == [2, 2, 0]
    assert calls.count < 20_000


def test_values_are_frozen() -> None:
    """Listings are values: rows, layers and refusals cannot be changed."""
    listed = listing("keras3/mlp.keras")
    for frozen in (listed, listed.rows[0], listed.by_layer()[0], Total(0, 0, 0), Refusal("link", "", "")):
        with pytest.raises((AttributeError, TypeError)):
            frozen.path = frozen.layer = frozen.kind = frozen.weights = None  # type: ignore[union-attr, misc, assignment]
    assert LayerRow.of(listed.rows[:2]).rows == listed.rows[:2]
