"""Tables in columns: where cells stand, what wide characters take, how long cells are broken."""

from ckpttool.render import grid


def test_columns_of_plain_text() -> None:
    """Columns begin below their titles, numbers end at one place, and no line ends in blanks."""
    shown = grid.plain([["stem", "1,280", ""], ["block1_conv", "9", "x"]], ["layer", "params", "note"], {"params"})
    assert shown.splitlines() == [
        "layer          params  note",
        "-----------  --------  ------",
        "stem            1,280",
        "block1_conv         9  x",
    ]


def test_columns_of_markdown() -> None:
    """Each cell stands between bars, and a rule follows the titles."""
    shown = grid.markdown([["stem", "9"]], ["layer", "params"])
    assert shown.splitlines() == ["| layer   | params   |", "|---------|----------|", "| stem    | 9        |"]


def test_wide_characters() -> None:
    """A wide character takes two places at a terminal, a mark on another character none."""
    lines = grid.plain(
        [["層層層層層", "a"], ["e\N{COMBINING ACUTE ACCENT}" * 10, "b"]], ["layer", "weight"]
    ).splitlines()
    assert lines[1:] == ["----------  --------", "層層層層層  a", "e\N{COMBINING ACUTE ACCENT}" * 10 + "  b"]


def test_long_cells() -> None:
    """Cells longer than a width are broken at blanks, each line below the one before."""
    shown = grid.plain([["one two three", "x"], ["four", "y"]], ["what", "where"], width=8)
    assert shown.splitlines() == ["what     where", "-------  -------", "one two  x", "three", "four     y"]
