import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.sandbox.nucleus.workbench import PATIENCE_S, recipe_tree, write_recipe

from spotty_sandbox.nucleus import run


class Terminal:
    """The tool as a person runs it."""

    def __init__(self, *arguments: str, stdin: int) -> None:
        command = [sys.executable, "-m", "spotty_sandbox", "nucleus", *arguments]
        self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def reads(self, text: str) -> str:
        """The next line with `text` in it."""
        while text not in (line := self._lines.get(timeout=30)):
            pass
        return line

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip())

    def close(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def terminal(*arguments: str, stdin: int = subprocess.PIPE) -> Iterator[Terminal]:
    """The tool while the block runs."""
    opened = Terminal(*arguments, stdin=stdin)
    try:
        yield opened
    finally:
        opened.close()


def test_a_session_at_the_terminal(tmp_path: Path) -> None:
    """The component runs, words on standard input are obeyed, nonsense is answered, quit ends it."""
    recipe = write_recipe(tmp_path, recipe_tree({"run": "echo pin {configuration:/pin}; sleep 1000"}))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"merge": {"pin": 4}}))
    with terminal("--recipe", str(recipe), "--thing", "gw9", "--config", str(config)) as tool:
        assert "lite, thing gw9" in tool.reads("nucleus")
        tool.reads("pin 4")
        tool.type('set {"pin": 5}')
        tool.type("restart")
        tool.reads("pin 5")
        tool.type("set 5")
        assert "no JSON object" in tool.reads("[nucleus] set")
        tool.type("reset pin")
        assert "JSON pointer" in tool.reads("[nucleus] reset")
        tool.type("reset /pin")
        tool.type("config")
        tool.reads('"pin": "17"')
        tool.type("offline")
        tool.type("status")
        assert "says of itself: nothing" in tool.reads("component RUNNING")
        tool.reads("started 2 times")
        tool.reads("cloud offline, 0 messages spooled")
        tool.type("publish local/a {}")
        tool.type("cloud sensors/gw9/bath/commands pause")
        tool.type("dance")
        assert "is none of" in tool.reads("dance")
        tool.type("quit")
        assert tool.ended() == 0


def test_the_end_of_input_is_not_the_end(tmp_path: Path) -> None:
    """Without a terminal it runs until SIGTERM, and stops the component then."""
    script = "trap 'echo bye; exit 0' TERM; echo ready; read x < fifo; echo got $x; read x < fifo"
    recipe = write_recipe(tmp_path, recipe_tree({"run": script}))
    fifo = tmp_path / "gg" / "work" / "com.example.Hello" / "fifo"
    fifo.parent.mkdir(parents=True)
    os.mkfifo(fifo)
    given = ("--recipe", str(recipe), "--root", str(tmp_path / "gg"), "--profile", "classic")
    with terminal(*given, stdin=subprocess.DEVNULL) as tool:
        tool.reads("ready")
        with fifo.open("r+b", buffering=0) as told:  # for reading too, so that opening waits for nobody
            told.write(b"word\n")
            tool.reads("got word")
            tool.process.send_signal(signal.SIGTERM)
            tool.reads("bye")
        assert tool.ended() == 0


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--broker", "nowhere"], "no HOST:PORT"),
        (["--broker", "localhost:8883", "--ca", "ca.pem"], "all three"),
        (["--config", "nowhere.json"], "cannot be read"),
        (["--config", "{folder}/recipe.yaml"], "holds no update"),
        (["--artifact", "x.zip"], "knows no artifact x.zip"),
        (["--recipe", "nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
)
def test_bad_arguments_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """What is wrong, on standard error, with exit code 2."""
    recipe = write_recipe(tmp_path)
    given = [argument.replace("{folder}", str(tmp_path)) for argument in arguments]
    assert run(["--recipe", str(recipe), *given]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_two_nuclei_do_not_share_a_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one says that there is a first."""
    recipe = write_recipe(tmp_path, recipe_tree({"run": "echo ready; sleep 1000"}))
    with terminal("--recipe", str(recipe), "--root", str(tmp_path / "gg")) as tool:
        tool.reads("ready")
        assert run(["--recipe", str(recipe), "--root", str(tmp_path / "gg")]) == 2
        assert "another nucleus runs" in capsys.readouterr().err
        tool.type("quit")
        assert tool.ended() == 0


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    """Both how to start it and what to type then."""
    with pytest.raises(SystemExit):
        run(["--help"])
    told = capsys.readouterr().out
    assert "--recipe recipe.yaml --artifact app.zip" in told
    assert "SIGKILL to the component" in told
