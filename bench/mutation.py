"""Mutation run over tools/risk: change one operator or number at a time and see whether the tests notice.

    python -m bench.mutation [--sample 150] [--seed 0] [--timeout 60]

Each mutant is one change of a comparison, an arithmetic or boolean operator, `min`/`max`, a whole number, a truth
value or an `is None`, in a copy of the tree. A mutant that no test of tests/tools/risk fails on has survived; it is
printed with its place. Not part of CI.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import hypothesis.strategies  # noqa: F401  (imported before the forks)
import psutil  # noqa: F401
import pydantic  # noqa: F401
import pytest
import yaml  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
MODULES = tuple(sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tools/risk").rglob("*.py")))
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", "tests/tools/risk")
_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
_CALLS = {"min": "max", "max": "min", "at_most": "at_least", "abs": "+"}


class Mutant(NamedTuple):
    module: str
    number: int
    line: int
    text: str


def _sites(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes that can be changed; what only annotates, documents or names is left alone."""
    return (node for node in ast.walk(tree) if _can_change(node))


def _can_change(node: ast.AST) -> bool:
    match node:
        case ast.Compare(ops=[first, *_]):
            return type(first) in _COMPARE
        case ast.BinOp():
            return type(node.op) in _BINARY and not isinstance(node.right, ast.Constant)
        case ast.Call(func=ast.Name(id=name)):
            return name in _CALLS
        case ast.Constant(value=bool() | int()) | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return True
        case _:
            return False


def _change(node: ast.AST) -> str:
    """Change a node in place; says how."""
    match node:
        case ast.Compare():
            before, node.ops[0] = type(node.ops[0]), _COMPARE[type(node.ops[0])]()
            return f"{before.__name__} -> {type(node.ops[0]).__name__}"
        case ast.BinOp():
            old, node.op = type(node.op), _BINARY[type(node.op)]()
            return f"{old.__name__} -> {type(node.op).__name__}"
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return f"to {type(node.op).__name__}"
        case ast.Call(func=ast.Name() as name):
            old_name, name.id = name.id, {"+": "Decimal"}.get(_CALLS[name.id], _CALLS[name.id])
            return f"{old_name} -> {name.id}"
        case ast.Constant(value=bool()):
            node.value = not node.value
            return f"to {node.value}"
        case ast.Constant():
            node.value = int(node.value) + 1  # type: ignore[arg-type]
            return f"to {node.value}"
        case _:
            node.op = ast.UAdd()  # type: ignore[attr-defined]
            return "not dropped"


def mutate(source: str, number: int) -> tuple[str, int, str]:
    """The source with its `number`-th site changed, its line and what was changed."""
    tree = ast.parse(source)
    node = list(_sites(tree))[number]
    line = getattr(node, "lineno", 0)
    text = _change(node)
    return ast.unparse(ast.fix_missing_locations(tree)), line, text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=60.0)
    given = parser.parse_args()
    sources = {name: (ROOT / name).read_text(encoding="utf-8") for name in MODULES}
    every = [(name, at) for name, text in sources.items() for at in range(len(list(_sites(ast.parse(text)))))]
    chosen = sorted(random.Random(given.seed).sample(every, min(given.sample, len(every))))
    survivors: list[Mutant] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        for part in ("tools", "tests/tools/risk"):
            shutil.copytree(ROOT / part, copy / part)
        for name in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
            shutil.copy(ROOT / name, copy / name)
        if _noticed(copy, 10 * given.timeout):
            sys.exit("the tests fail without any change: mend them first")
        sys.dont_write_bytecode = True
        for done, (name, number) in enumerate(chosen, 1):
            text, line, what = mutate(sources[name], number)
            file = copy / name
            file.write_text(text, encoding="utf-8")
            if not _noticed(copy, given.timeout):
                survivors.append(Mutant(name, number, line, what))
                sys.stdout.write(f"survived: {name}:{line} {what}\n")
            file.write_text(sources[name], encoding="utf-8")
            if done % 10 == 0:
                sys.stdout.write(f"{done}/{len(chosen)}, {len(survivors)} survived\n")
            sys.stdout.flush()
    killed = len(chosen) - len(survivors)
    sys.stdout.write(f"{killed} of {len(chosen)} killed ({killed / len(chosen):.1%}); {len(every)} sites in all\n")


def _noticed(tree: Path, timeout: float) -> bool:
    """Run the tests on the tree in a fork, which saves the imports; a run without an end counts as noticed."""
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.chdir(tree)
        sys.path.insert(0, str(tree))
        os._exit(int(pytest.main([*OPTIONS])))
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


if __name__ == "__main__":
    main()
