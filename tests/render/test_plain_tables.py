"""Tables put together here come out as those of tabulate."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tabulate import tabulate

from ckpttool.render.plain_tables import plain_table

_CELLS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    st.text(max_size=6),
    st.sampled_from(["", " ", "1,024", "é", "漢字", "\x1b[31mred\x1b[0m", "a\nb", "  indented", "1e5", "-3"]),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], list[str], list[str]]:
    """Rows, titles and sides of a table."""
    columns = draw(st.integers(1, 5))
    row = st.lists(_CELLS, min_size=columns, max_size=columns)
    align = draw(st.lists(st.sampled_from(["left", "right"]), min_size=columns, max_size=columns))
    return draw(st.lists(row, min_size=1, max_size=5)), draw(row), align


@settings(max_examples=150, deadline=None)
@given(tables())
def test_tables_are_those_of_tabulate(table: tuple[list[list[str]], list[str], list[str]]) -> None:
    """The table is the one that tabulate makes, whatever the cells are."""
    rows, titles, align = table
    assert plain_table(rows, titles, align) == tabulate(
        rows, titles, tablefmt="simple", colalign=align, disable_numparse=True
    )
