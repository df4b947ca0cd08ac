"""Tables as plain text: columns two spaces apart, a line of dashes below the titles.

Where every cell is one line of ASCII, as it nearly always is, columns are put together here: importing tabulate takes
more than a quarter of the time that listing a small checkpoint does. Any other table is tabulate's, which knows how
wide characters are; both come out alike.
"""

from collections.abc import Sequence

_PADDING = 2  # columns that are wider than their title, at least


def plain_table(rows: Sequence[Sequence[str]], titles: Sequence[str], align: Sequence[str]) -> str:
    """The table of rows below their titles; `align` has `left` or `right` for each column."""
    if not all(map(_is_plain, (titles, *rows))):
        from tabulate import tabulate

        return str(tabulate(rows, titles, tablefmt="simple", colalign=align, disable_numparse=True))
    rows = [[cell.strip() for cell in row] for row in rows]
    widths = [len(title) + _PADDING for title in titles]
    for row in rows:
        widths = [max(width, len(cell)) for width, cell in zip(widths, row, strict=True)]
    dashes = ["-" * width for width in widths]
    return "\n".join(_line(cells, widths, align) for cells in (titles, dashes, *rows))


def _is_plain(cells: Sequence[str]) -> bool:
    """Whether each cell is one line of printable ASCII."""
    text = "".join(cells)
    return text.isascii() and (text.isprintable() or not text)


def _line(cells: Sequence[str], widths: Sequence[int], align: Sequence[str]) -> str:
    padded = (
        cell.rjust(width) if side == "right" else cell.ljust(width)
        for cell, width, side in zip(cells, widths, align, strict=True)
    )
    return "  ".join(padded).rstrip()
