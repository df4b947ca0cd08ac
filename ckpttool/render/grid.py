"""Tables of cells in columns, as plain text and as Markdown: the same number of places for every cell of a column."""

import unicodedata
from collections.abc import Container, Iterator, Sequence

_ROOM = 2  # places by which a column is wider than its title at least

Cells = Sequence[Sequence[str]]


def plain(rows: Cells, titles: Sequence[str], right: Container[str] = (), width: int = 0) -> str:
    """A table as plain text, its columns two blanks apart; those whose title is among `right` end at the same place.

    Where a `width` is given, cells that take more places are broken into several lines.
    """
    body = [_lines(row, width) if width else [list(row)] for row in rows]
    places = _places([line for lines in body for line in lines], titles)
    sides = [title in right for title in titles]
    shown = [list(titles), ["-" * count for count in places], *(line for lines in body for line in lines)]
    return "\n".join("  ".join(_padded(line, places, sides)).rstrip() for line in shown)


def markdown(rows: Cells, titles: Sequence[str]) -> str:
    """A table in Markdown, whose cells are escaped already."""
    places = _places(rows, titles)
    rule = f"|{'|'.join('-' * (count + 2) for count in places)}|"
    shown = [f"| {' | '.join(_padded(line, places, [False] * len(places)))} |" for line in (titles, *rows)]
    return "\n".join([shown[0], rule, *shown[1:]])


def _places(rows: Cells, titles: Sequence[str]) -> list[int]:
    """The number of places of each column."""
    titled = [_length(title) + _ROOM for title in titles]
    return [max(least, *(_length(cell.strip()) for cell in column)) for least, column in _columns(titled, rows)]


def _columns(titled: list[int], rows: Cells) -> Iterator[tuple[int, list[str]]]:
    for number, least in enumerate(titled):
        yield least, ["", *(row[number] for row in rows)]


def _padded(cells: Sequence[str], places: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    for cell, count, at_end in zip(map(str.strip, cells), places, right, strict=True):
        blanks = " " * (count - _length(cell))
        yield blanks + cell if at_end else cell + blanks


def _length(text: str) -> int:
    """The number of places that a text takes at a terminal: two for a wide character, none for a mark on another."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.category(char) in ("Mn", "Me") for char in text)


def _lines(row: Sequence[str], width: int) -> list[list[str]]:
    """The lines of a row whose cells are broken."""
    import textwrap  # few tables have long cells

    cells = [textwrap.wrap(cell, width) or [""] for cell in row]
    return [[cell[n] if n < len(cell) else "" for cell in cells] for n in range(max(map(len, cells)))]
