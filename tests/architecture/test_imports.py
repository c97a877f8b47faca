"""Who may import whom: the written contracts hold, and only four modules ever reach a broker."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "tools", "memory", "prompts", "pipeline", "api")
BROKER = "tools.execution.brokers"
REACH_A_BROKER = {"pipeline.execution", "pipeline.halt_program", "pipeline.venue", "pipeline.desk"}
ALLOWED_OF_TOOLS = ("tools.canonical", "tools.errors", "tools.packages", "tools.types")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def sources(*packages: str) -> list[Path]:
    return [
        path for package in packages for path in sorted((ROOT / package).rglob("*.py"))
        if "node_modules" not in path.parts
    ]  # fmt: skip


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or anywhere below; type-checking blocks included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            found |= {node.module or ""} | {f"{node.module}.{item.name}" for item in node.names}
    return found


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


def test_only_execution_halt_and_their_wiring_import_a_broker() -> None:
    found = {
        module_name(path)
        for path in sources(*PACKAGES)
        if not module_name(path).startswith(BROKER) and any(name.startswith(BROKER) for name in imports(path))
    }
    assert found <= REACH_A_BROKER
    assert found, "nobody imports a broker: the check has lost its object"


@pytest.mark.parametrize("package", ["agents", "memory"])
def test_agents_and_memory_import_only_types_of_the_tools(package: str) -> None:
    wrong = sorted(
        f"{module_name(path)} imports {name}"
        for path in sources(package)
        if "versions" not in path.parts
        for name in imports(path)
        if name.startswith("tools.") and not name.startswith(ALLOWED_OF_TOOLS) and "types" not in name.split(".")
        and not (name.count(".") == 1 and (ROOT / name.replace(".", "/")).is_dir())
    )  # fmt: skip
    assert wrong == []


def test_no_module_is_named_utils_or_manager() -> None:
    assert [path.name for path in sources(*PACKAGES) if path.stem in ("utils", "util", "helpers", "manager")] == []


def test_only_the_engine_and_its_player_open_the_recall_index() -> None:
    found = {module_name(path) for path in sources("pipeline", "api") if "memory.recall" in imports(path)}
    assert found == {"pipeline.desk", "pipeline.long_term"}
    api = {module_name(path) for path in sources("api") if "chromadb" in {n.split(".")[0] for n in imports(path)}}
    assert api == set()
