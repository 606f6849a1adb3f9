# SPDX-License-Identifier: GPL-2.0
"""The layout of the sources: length of files and functions, and who includes whom."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
KERNEL = REPO / "src" / "kernel"

MOST_LINES = 600
MOST_LINES_OF_A_FUNCTION = 60
# Documents, and files that a program wrote.
ANY_LENGTH = re.compile(r"^docs/|\.svg$|\.json$|^\.clang-format$")

# A file includes headers of its own room and of the rooms below it.
ROOMS = ("disk", "link", "reserve")
TOP = len(ROOMS)
# The one file outside the rooms that knows them: it sets all of them up.
ABOVE_ALL = ("main.c",)

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def sources():
    """The paths of all files of the tree, and of new ones that git does not ignore."""
    listed = subprocess.run([REPO / "scripts/files"], capture_output=True, check=True).stdout
    paths = {REPO / name for name in listed.decode().split("\0") if name}
    return sorted(path for path in paths if path.is_file())


def copy_sources(root):
    for path in sources():
        copied = root / path.relative_to(REPO)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)


def name(path):
    return str(path.relative_to(REPO))


def test_no_file_is_too_long():
    lengths = {name(path): path.read_bytes().count(b"\n") for path in sources()
               if not ANY_LENGTH.search(name(path))}
    long = [f"{file}: {lines} lines" for file, lines in lengths.items() if lines > MOST_LINES]
    assert not long, f"over {MOST_LINES} lines:\n" + "\n".join(long)


def c_functions(text):
    """The first line and the length of each function, its signature included."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
            # Back over the lines of the signature.
            while start and re.match(r"[\w\s]", lines[start - 1]) and \
                    not lines[start - 1].startswith((" *", "\t *")):
                start -= 1
        elif line.startswith("}") and start is not None:
            yield start, number + 1 - start, lines[start]
            start = None


def test_no_c_function_is_too_long():
    long = []
    for path in sources():
        if path.suffix not in (".c", ".h"):
            continue
        for number, length, signature in c_functions(path.read_text()):
            if length > MOST_LINES_OF_A_FUNCTION:
                long.append(f"{name(path)}:{number + 1}: {length} lines: {signature}")
    assert not long, f"over {MOST_LINES_OF_A_FUNCTION} lines:\n" + "\n".join(long)


def test_no_python_function_is_too_long():
    long = []
    for path in sources():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = node.end_lineno + 1 - node.lineno
                if length > MOST_LINES_OF_A_FUNCTION:
                    long.append(f"{name(path)}:{node.lineno}: {length} lines: {node.name}")
    assert not long, f"over {MOST_LINES_OF_A_FUNCTION} lines:\n" + "\n".join(long)


def room(path):
    """The number of its room, counted from the top; TOP: it is in none."""
    first = path.relative_to(KERNEL).parts[0]
    return ROOMS.index(first) if first in ROOMS else TOP


def test_includes_go_one_way():
    """disk > link > reserve; what stands beside the rooms includes none of them."""
    back = []
    for path in sources():
        if KERNEL not in path.parents or path.name in ABOVE_ALL:
            continue
        for included in INCLUDE.findall(path.read_text()):
            # As the compiler looks for it: beside the file, then in src/kernel.
            target = next((at for at in (path.parent / included, KERNEL / included)
                           if at.exists()), None)
            if target and room(target.resolve()) < room(path):
                back.append(f"{name(path)} includes {name(target.resolve())}")
    assert not back, "includes that go back:\n" + "\n".join(back)
