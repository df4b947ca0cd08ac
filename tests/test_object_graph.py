"""The object graph: shortest paths, circles, what is held under several names, and slot variables."""

from ckpttool.object_graph import Attribute, Node, ObjectGraph, SlotVariable

KERNEL = Attribute("VARIABLE_VALUE", "dense/kernel", "model/kernel/.ATTRIBUTES/VARIABLE_VALUE")
GRAPH = ObjectGraph(
    (
        Node((("model", 1), ("optimizer", 3))),
        Node((("layer-0", 2), ("root", 0))),
        Node((("kernel", 4), ("model", 1))),
        Node((("weights", 4),), slots=(SlotVariable(4, "m", 5),)),
        Node(attributes=(KERNEL,)),
        Node(),
        Node((("far", 6),)),
    )
)


def test_shortest_paths() -> None:
    """Every node that is held has its shortest path; slot variables and what nobody holds have none."""
    assert GRAPH.paths == {
        0: (),
        1: ("model",),
        3: ("optimizer",),
        2: ("model", "layer-0"),
        4: ("optimizer", "weights"),
    }


def test_keys() -> None:
    """A node has the key of its value, and of a tensor of another name; empty where it has none."""
    config = Attribute("OBJECT_CONFIG_JSON", "", "config/.ATTRIBUTES/OBJECT_CONFIG_JSON")
    node = Node(attributes=(config, KERNEL))
    assert (node.key(), node.key("OBJECT_CONFIG_JSON"), node.key("OTHER")) == (KERNEL.key, config.key, "")
    assert Node().key() == ""


def test_some_ways_only() -> None:
    """A walk may start anywhere and leave names out."""
    reached = GRAPH.reached(0, passes=lambda node, name: name != "optimizer")
    assert reached[4] == ("model", "layer-0", "kernel")
    assert 3 not in reached
    assert GRAPH.reached(2)[0] == ("model", "root")
    assert GRAPH.reached(99) == GRAPH.reached() == {}
    assert GRAPH.reached(5, 6) == {5: (), 6: ()}


def test_nodes_by_path() -> None:
    """A path leads to its node, or to none."""
    assert GRAPH.at(("model", "layer-0", "kernel")) == 4
    assert GRAPH.at(()) == 0
    assert GRAPH.at(("kernel",), start=2) == 4
    assert GRAPH.at(("model", "nothing", "kernel")) is None


def test_owners() -> None:
    """A key leads to the object whose tensor it is."""
    assert GRAPH.owners == {KERNEL.key: (4, KERNEL)}
    twice = ObjectGraph((Node(attributes=(KERNEL,)), Node(attributes=(KERNEL,))))
    assert twice.owners[KERNEL.key] == (0, KERNEL)


def test_slot_variables() -> None:
    """Each comes with the optimizer that keeps it."""
    assert list(GRAPH.slot_variables()) == [(3, SlotVariable(4, "m", 5))]


def test_long_chains_end() -> None:
    """Paths of absurd length are not followed."""
    chain = ObjectGraph((*(Node((("a", number + 1),)) for number in range(5000)), Node()))
    assert max(map(len, chain.paths.values())) == 200
