import stat
from pathlib import Path

import pytest

from spotty_gateway.durable_file import remove_durably, replace_durably


def test_mode_and_folder_are_as_they_should_be(tmp_path: Path) -> None:
    """A file keeps its mode, a new one gets the one that is asked for, a missing folder is made."""
    path = tmp_path / "policies" / "gateway.json"
    replace_durably(path, b"1", 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    replace_durably(path, b"2")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"2", 0o640)


def test_what_a_kill_has_left_is_swept_away(tmp_path: Path) -> None:
    """Only what is this file's own."""
    path = tmp_path / "a.json"
    for name in (".a.json-x1y2", ".b.json-x1y2"):
        (tmp_path / name).write_bytes(b"half")
    replace_durably(path, b"whole")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".b.json-x1y2", "a.json"]


def test_what_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """An error, nothing half, nothing beside it."""
    path = tmp_path / "a.json"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        replace_durably(path, b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    """Twice is no fault."""
    path = tmp_path / "a.json"
    path.touch()
    remove_durably(path)
    remove_durably(path)
    assert not path.exists()
