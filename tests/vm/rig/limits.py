# SPDX-License-Identifier: GPL-2.0
"""The #defines of include/ballast/limits.h, without their BALLAST_ prefix.

    limits.MAX_CONNECTIONS   # 64
    limits.OPTIONS   # ["server", "export", ...]
"""

import ast
import re
from pathlib import Path

HEADER = Path(__file__).resolve().parents[3] / "include" / "ballast" / "limits.h"

_DEFINE = re.compile(r"#define\s+BALLAST_(\w+)\s+(.+?)\s*(?:/\*.*)?$")


def _arithmetic(node):
    """The value of an expression of integers."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, str)):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_arithmetic(node.operand)
    if isinstance(node, ast.BinOp):
        left, right = _arithmetic(node.left), _arithmetic(node.right)
        operations = {ast.Add: left.__add__, ast.Sub: left.__sub__, ast.Mult: left.__mul__,
                      ast.LShift: left.__lshift__}
        return operations[type(node.op)](right)
    raise ValueError(ast.dump(node))


def read(header=HEADER):
    """The header's names and values; a line of any other form raises ValueError."""
    values = {}
    for line in header.read_text().splitlines():
        if not line.startswith("#define") or line.split()[1:] == ["BALLAST_LIMITS_H"]:
            continue
        found = _DEFINE.match(line)
        if not found:
            raise ValueError(f"{header}: {line}")
        name, text = found.groups()
        values[name] = _arithmetic(ast.parse(text, mode="eval").body)
    return values


_values = read()
OPTIONS = [value for name, value in _values.items() if name.startswith("OPT_")]
FILES = [value for name, value in _values.items() if name.startswith("FILE_")]
globals().update(_values)
