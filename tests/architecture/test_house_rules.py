"""House rules that no linter knows: what is caught, how long a file is, what must never be committed."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "tools", "memory", "prompts", "pipeline", "api")
LONGEST = 400


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def ours(*suffixes: str) -> list[Path]:
    return [path for path in tracked() if path.suffix in suffixes]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def catches_everything(handler: ast.ExceptHandler) -> bool:
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in ("Exception", "BaseException")) for name in names
    )


def test_nothing_catches_everything() -> None:
    """`except Exception` around `interrupt()` swallows it, and around anything else it hides a bug."""
    wrong = [
        f"{shown(path)}:{node.lineno}"
        for path in ours(".py")
        if path.relative_to(ROOT).parts[0] in PACKAGES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ExceptHandler) and catches_everything(node))
        or (isinstance(node, ast.Call) and ast.unparse(node) in ("suppress(Exception)", "suppress(BaseException)"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "caught"),
    [
        ("except Exception: pass", True), ("except: pass", True), ("except (ValueError, Exception): pass", True),
        ("except BaseException: pass", True), ("except ValueError: pass", False),
        ("except (KeyError, OSError): pass", False),
    ],
)  # fmt: skip
def test_the_check_knows_what_catches_everything(code: str, caught: bool) -> None:
    (statement,) = ast.parse(f"try: pass\n{code}").body
    assert isinstance(statement, ast.Try)
    assert catches_everything(statement.handlers[0]) is caught


def test_no_source_file_is_longer_than_it_can_be_read() -> None:
    """Migrations are history and the console's lock file is written by npm."""
    long = {
        shown(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in ours(".py", ".ts", ".tsx", ".css")
        if "versions" not in path.parts
    }
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


ADDRESS = re.compile(r"https?://|--index-url|--extra-index-url|--find-links|^-i ", re.MULTILINE)


def test_no_requirements_file_holds_an_address() -> None:
    files = [path for path in tracked() if path.parent == ROOT / "requirements" and path.suffix in (".txt", ".in")]
    assert files
    assert [shown(path) for path in files if ADDRESS.search(path.read_text())] == []


@pytest.mark.parametrize("name", ["runtime", "dev", "data", "node"])
def test_every_pinned_requirement_has_a_version_and_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    assert [line[:60] for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


def test_the_lock_file_of_the_console_holds_no_address_of_a_registry() -> None:
    for path in (path for path in tracked() if path.name == "package-lock.json"):
        packages = json.loads(path.read_text())["packages"]
        assert [name for name, entry in packages.items() if "resolved" in entry] == []
        assert all("integrity" in entry for name, entry in packages.items() if name and not entry.get("link"))
    configured = [path.read_text() for path in tracked() if path.name in (".npmrc", "pip.conf", "uv.toml")]
    assert not any("registry=" in text or "index-url" in text for text in configured)


MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/[a-z]\w*|tmp/w|Users/\w+)/")


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    wrong = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        wrong += [f"{shown(path)}: {found.group()}" for found in MACHINE.finditer(text)]
    assert wrong == []


def test_the_check_of_machine_paths_would_see_one() -> None:
    assert MACHINE.search("see " + "/wo" + "rk/main/x")
    assert not MACHINE.search("api/work/main and my.home/user/ and https://example.org/home/page")


def test_nothing_that_is_built_is_tracked() -> None:
    built = ("api/static/", ".venv/", "dist/", "node_modules/")
    assert [shown(path) for path in tracked() if any(part in shown(path) for part in built)] == []
    assert ours(".sqlite", ".pem", ".pyc") == []
