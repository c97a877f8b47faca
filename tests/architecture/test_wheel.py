"""The wheel: one top-level package, everything inside it that the desk reads, and it starts from there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "tools", "memory", "prompts", "pipeline", "api")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the installed backend: no network, no isolated environment."""
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)], cwd=ROOT, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel: Path) -> frozenset[str]:
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_has_one_top_level_package(names: frozenset[str]) -> None:
    """A top-level `agents` or `tools` would overwrite those of other distributions."""
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"quarterdeck"}
    assert len(tops) == 2


def _wanted() -> list[str]:
    """Every file of ours that is read at run time, as its path in the repository."""
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = [name for name in listed.stdout.splitlines() if not name.startswith("api/console/")]
    static = ROOT / "api" / "static"
    wanted += [path.relative_to(ROOT).as_posix() for path in static.rglob("*") if path.is_file()]
    return [name for name in wanted if name != "api/_launch.py" and (ROOT / name).exists()]


def test_every_module_prompt_template_migration_and_asset_is_inside(names: frozenset[str]) -> None:
    missing = [name for name in _wanted() if f"quarterdeck/{name}" not in names]
    assert missing == []
    assert "quarterdeck/_launch.py" in names


@pytest.mark.parametrize(
    "name",
    [
        "prompts/LOCK.json", "prompts/decision/review.md", "prompts/explanation/prose.md", "pipeline/policy.yaml",
        "tools/risk/limits.yaml", "tools/data/sample/headlines.yaml", "memory/migrations/script.py.mako",
        "memory/migrations/env.py", "memory/migrations/versions/0001_first_light.py",
    ],
)  # fmt: skip
def test_what_the_desk_reads_by_name_is_inside(names: frozenset[str], name: str) -> None:
    assert f"quarterdeck/{name}" in names


def test_nothing_is_inside_that_is_only_for_building_or_testing(names: frozenset[str]) -> None:
    foreign = [
        name
        for name in names
        if "node_modules" in name or "/console/src/" in name or "/tests/" in name or name.endswith((".pyc", ".sqlite"))
    ]
    assert foreign == []


def _start(unpacked: Path, *arguments: str, module: str = "quarterdeck._launch") -> subprocess.CompletedProcess[str]:
    """Start from the unpacked wheel, with the repository out of reach."""
    code = (
        "import sys, runpy; "
        f"sys.path[:] = [p for p in sys.path if p not in ('', {str(ROOT)!r})]; sys.path.insert(0, {str(unpacked)!r}); "
        f"sys.argv = ['quarterdeck', *{list(arguments)!r}]; runpy.run_module({module!r}, run_name='__main__')"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=unpacked, env=environment, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


def test_the_command_starts_from_the_wheel_and_means_its_own_packages(unpacked: Path) -> None:
    done = _start(unpacked, "--help")
    assert done.returncode == 0, done.stderr
    assert "approvals" in done.stdout


def test_a_home_is_opened_from_the_wheel_with_its_migrations_limits_and_policy(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "import sys; "
        f"sys.path[:] = [p for p in sys.path if p not in ('', {str(ROOT)!r})]; "
        f"sys.path.insert(0, {str(unpacked / 'quarterdeck')!r})\n"
        "from pipeline.settings import load_settings\nfrom pipeline.store import open_store\n"
        "from pipeline.activation import in_force\nimport prompts.loader, memory.database\n"
        f"law = in_force(open_store(load_settings(home={str(tmp_path / 'home')!r})))\n"
        "prompts.loader.load('decision/review')\n"
        "print(law.policy.version, law.limits.version, memory.database.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    policy, limits, where = done.stdout.split()
    assert (policy, limits) == ("1", "1")
    assert where.startswith(str(unpacked))
