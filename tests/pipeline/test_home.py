"""The home: one desk at a time, one mode for ever, and a clear word for whatever is wrong with it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.home import DeskFile, Home, open_home
from pipeline.settings import load_settings
from pipeline.store import Store
from tests.pipeline import life
from tools.errors import HomeError


def code(home: Path, *, create: bool = True, mode: str = "replay") -> str:
    with pytest.raises(HomeError) as caught:
        open_home(load_settings(home=home, mode=mode), create=create)
    assert str(home) in caught.value.message or "database" in caught.value.message or "home" in caught.value.message
    return caught.value.code


def test_a_home_that_is_not_there_is_made_or_refused_as_asked(tmp_path: Path) -> None:
    assert code(tmp_path / "home", create=False) == "no_home"
    assert not (tmp_path / "home").exists()
    home, database = open_home(load_settings(home=tmp_path / "home"))
    assert home.config.is_dir()
    database.dispose()


def test_a_home_stays_in_the_mode_it_was_made_in(store: Store) -> None:
    for mode in ("paper", "live"):
        assert code(store.home.path, mode=mode) == "home_mode"
    home, database = open_home(load_settings(home=store.home.path))
    assert home.path == store.home.path
    database.dispose()


def test_a_file_in_the_place_of_the_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("I am a file")
    assert code(tmp_path / "home") == "home_unreadable"
    assert code(tmp_path / "home" / "below") == "home_unreadable"
    assert (tmp_path / "home").read_text() == "I am a file"


def test_a_place_where_nothing_can_be_written_is_refused() -> None:
    assert code(Path("/proc/quarterdeck")) == "home_unreadable"


def test_a_folder_in_the_place_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck.sqlite").mkdir()
    assert code(tmp_path) == "home_unreadable"


@pytest.mark.parametrize("content", [b"hello" * 500, b"SQLite format 3\x00" + b"\x01" * 8000])
def test_a_damaged_database_is_refused_and_left_for_a_rescue(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "quarterdeck.sqlite").write_bytes(content)
    assert code(tmp_path) == "home_corrupted"
    assert (tmp_path / "quarterdeck.sqlite").read_bytes() == content


def test_a_home_of_a_newer_version_is_refused(store: Store) -> None:
    life.tamper(store, "UPDATE alembic_version SET version_num = '9999'")
    assert code(store.home.path) == "home_too_new"


def test_a_home_is_locked_by_one_process_until_it_dies(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from pipeline.home import Home\n"
        "with Home(Path(sys.argv[1])).lock():\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(HomeError, match="in use") as caught, Home(tmp_path).lock():
        pass
    assert caught.value.code == "home_locked"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with Home(tmp_path).lock():
        pass


def test_the_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Home(tmp_path).lock():
        raise RuntimeError("desk fell over")
    with Home(tmp_path).lock():
        pass


def test_the_token_is_private_and_stays_the_same(tmp_path: Path) -> None:
    home = Home(tmp_path)
    token = home.token()
    assert len(token) >= 32
    assert home.token() == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_desk_is_found_only_while_its_process_lives(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.desk() is None
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    home.desk_file.write_text(DeskFile(url="http://127.0.0.1:1", pid=ended.pid).model_dump_json())
    assert home.desk() is None
    home.desk_file.write_text("{half a fi")
    assert home.desk() is None
