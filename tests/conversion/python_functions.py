"""Sources of functions such as Lambda layers run, with what they compute.

`python_functions.json` has the code of each as every Python wrote it, in base64: by version, then by source. It was
made by each Python (2.7.18, 3.6.15, 3.7.16, 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.0) with

    scope = {}
    exec(compile(source, "model.py", "exec", 0, True), scope)
    base64.b64encode(marshal.dumps(scope["f"].__code__)).decode()
"""

ARITHMETIC = {
    **{
        f"f = lambda x: {text}": text
        for text in (
            *("x / 127.5 - 1.0", "x / 255.0", "(x - 128.0) / 128.0", "x * 2", "3 * x", "1 - x", "x", "x * -1"),
            *("x ** 2", "(-x) ** 2", "-x ** 2", "2 ** -x", "-(x + 1)", "x * 1e-05", "x * x"),
            *("x // 2 % 3", "x - (1 - x)", "x * (x / 3.0)", "(x + 1)[0]"),
            *("x[:, :10]", "x[0] - x[1]", "x[..., 0]", "x[:, ::2, None]", "x[1:]", "x[:3]", "x[0:1]", "x[:]", "x[-1]"),
        )
    },
    "f = lambda x, mask=None: x / 2.0": "x / 2.0",
    "def f(x):\n    '''Scales.'''\n    x = x / 255.0\n    x -= 0.5\n    y = x * 2.0\n    return y * y": (
        "(x / 255.0 - 0.5) * 2.0 * ((x / 255.0 - 0.5) * 2.0)"
    ),
    "def f(y):\n    y *= 2\n    y **= 2\n    y //= 3\n    y %= 5\n    y += 1\n    y /= 7.0\n    return y": (
        "((y * 2) ** 2 // 3 % 5 + 1) / 7.0"
    ),
}
MORE = (
    *("f = lambda x: x if x else 1", "f = lambda x: abs(x)", "f = lambda x: K.sqrt(x)", "f = lambda x: x + 'a'"),
    *("f = lambda x: x & 1", "f = lambda x: (x, x)", "f = lambda x: [x]", "f = lambda x: x < 1", "f = lambda x: not x"),
    *("f = lambda x: None", "f = lambda x: 'a'", "f = lambda x: x + 1j", "f = lambda x: x.shape", "f = lambda: 1"),
    *("f = lambda x: 1e400 * x", "f = lambda x: x / 10000000000000000000000", "f = lambda x: lambda y: x + y"),
    *("f = lambda *x: x", "f = lambda x, **y: x", "def f(x):\n    yield x", "def f(x):\n    return"),
    *("f = (lambda c: lambda x: x * c)(3)", f"f = lambda x: {' + '.join('x' * 80)}"),
    "def f(x):\n    try:\n        return x / 2\n    except TypeError:\n        return x / 3",
    "f = lambda x: x / 255",
    "from __future__ import division\nf = lambda x: x / 255",
    "f = lambda x: x * (1 / 2)",
    "f = lambda x, scale: x[0] + x[1] * scale",
    "f = lambda x, a=2, b=3.0: a * x + b",
)
