"""Linear algebra on the last two axes (keras/src/ops/linalg.py, and `slogdet` and `logdet` of numpy.py and math.py,
3.15)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.binding_rules import Bound, custom, several, single
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import same_size
from ckpttool.model.sizes import Shape, Size


def _matrix(shape: Shape) -> tuple[Size, Size]:
    """The numbers of rows and columns. Raises ValueError where the input has fewer than two axes."""
    if len(shape) < 2:
        raise ValueError("an input with 2 axes at least")
    return shape[-2], shape[-1]


def _smaller(rows: Size, columns: Size) -> Size:
    return None if rows is None or columns is None else min(rows, columns)


def _square(args: Args, x: Shape) -> Shape:
    same_size(*_matrix(x))
    return x


def _of_each(args: Args, x: Shape) -> Shape:
    """One number for each matrix."""
    _matrix(x)
    return x[:-2]


def _of_each_square(args: Args, x: Shape) -> Shape:
    return _square(args, x)[:-2]


def _sign_and_log(args: Args, x: Shape) -> Outputs:
    """Sign and logarithm of determinants; Keras reports one sign for all matrices."""
    return ((), _of_each(args, x))


def _eigen(args: Args, x: Shape) -> Outputs:
    return (_square(args, x)[:-1], x)


def _factored(args: Args, x: Shape) -> Outputs:
    return (x, (*x[:-2], _smaller(*_matrix(x))))


def _orthogonal(args: Args, x: Shape) -> Outputs:
    rows, columns = _matrix(x)
    least = _smaller(rows, columns) if args.choice("mode", "reduced", "complete") == "reduced" else rows
    return ((*x[:-2], rows, least), (*x[:-2], least, columns))


def _solved(args: Args, a: Shape, b: Shape) -> Shape:
    """Solutions of linear systems; both inputs have equally many rows (`_assert_a_b_compat`)."""
    _square(args, a)
    if not b:
        raise ValueError("a right side with an axis at least")
    if len(a) == len(b):
        same_size(a[-2], b[-2])
    elif len(a) == len(b) - 1:
        same_size(a[-1], b[-1])
    return b


def _least_squares(args: Args, a: Shape, b: Shape) -> Shape:
    if len(a) != 2 or len(b) not in (1, 2):
        raise ValueError("a matrix, and a vector or a matrix")
    same_size(a[0], b[0])
    return (a[1], *b[1:])


def _singular(bound: Bound) -> Outputs:
    """The singular values, between the matrices of singular vectors where these are requested."""
    x, full = bound.shape("x"), bound.args.flag("full_matrices", True)
    with_vectors = bound.args.flag("compute_uv", True)
    if x is None:
        return (None,) * (3 if with_vectors else 1)
    rows, columns = _matrix(x)
    least, batch = _smaller(rows, columns), x[:-2]
    left, right = (rows, columns) if full else (least, least)
    return ((*batch, rows, left), (*batch, least), (*batch, right, columns)) if with_vectors else ((*batch, least),)


def _turned(args: Args, x: Shape) -> Shape:
    rows, columns = _matrix(x)
    return (*x[:-2], columns, rows)


def _each(compute: Callable[..., Shape | None], *names: str) -> Mapping[str, Rule]:
    return dict.fromkeys(names, single(compute, "x"))


LINEAR: Mapping[str, Rule] = MappingProxyType(
    {
        **_each(_square, "Cholesky", "CholeskyInverse", "Inv"),
        **_each(_of_each, "Logdet", "MatrixRank"),
        "Det": single(_of_each_square, "x"),
        "Eig": several(2, _eigen, "x"),
        "Eigh": several(2, _eigen, "x"),
        "Lstsq": single(_least_squares, "a", "b"),
        "LuFactor": several(2, _factored, "x"),
        "Pinv": single(_turned, "x"),
        "Qr": several(2, _orthogonal, "x"),
        "SVD": custom(_singular, "x"),
        "Slogdet": several(2, _sign_and_log, "x"),
        "Solve": single(_solved, "a", "b"),
        "SolveTriangular": single(_solved, "a", "b"),
    }
)
"""Rules by class name."""
