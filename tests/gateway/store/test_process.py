import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def run_alone(module: str, *arguments: str) -> list[str]:
    """Run a module of these tests in a process of its own; returns the lines it wrote."""
    command = [sys.executable, "-W", "error", "-m", f"tests.gateway.store.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_kill_leaves_the_old_snapshot_or_the_new_one(tmp_path: Path) -> None:
    """Killed at forty random instants, it always finds the last durable snapshot or a newer one, never neither."""
    rounds = [line.split() for line in run_alone("killed", str(tmp_path), "40")]
    assert len(rounds) == 40
    for durable, begun, found, durable_edges, last_edge, in_order in rounds:
        assert int(durable) <= int(found) <= int(begun)
        assert int(last_edge) >= int(durable_edges)
        assert in_order == "True"
    assert not list(tmp_path.glob("*Z"))
    assert int(rounds[-1][0]) > 40  # it did get to write between the kills


def test_a_limit_on_file_size_is_survived(tmp_path: Path) -> None:
    """When the system refuses to let the file grow, nothing is lost, and writing goes on once it may."""
    refused, said_while, found, said_after = run_alone("limited", str(tmp_path))
    assert refused == "False"
    assert said_while.startswith("history.db cannot be written (disk I/O error")
    assert found == "in order: 2000"
    assert said_after == "history.db can be written again; 0 rows were lost meanwhile"


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """In a read-only folder a stopped gateway's history can be read; writing there is told as trouble with its cure."""
    read, loaded, said = run_alone("unprivileged", str(tmp_path))
    assert read == "[1, 2, 3]"
    assert loaded == "True"
    assert said.startswith("state.db cannot be written (attempt to write a readonly database)")
    assert said.endswith(
        "make sure that the data folder exists and belongs to the user the component runs as"
        ". Music goes on; what should be written waits in memory and is tried again"
    )
