import subprocess
import sys

import pytest

from spotty_gateway.__main__ import HOMES, main


@pytest.mark.parametrize("command", HOMES)
def test_every_command_is_found_in_its_module(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Asked for by name, it answers for itself."""
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: spotty {command} ")


def test_all_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for help, or for what there is not, sees each of them."""
    for words in (["--help"], ["bogus"]):
        with pytest.raises(SystemExit):
            main(words)
        told = capsys.readouterr()
        assert [name for name in HOMES if name not in told.out + told.err] == []


def test_a_gateway_carries_no_other_command() -> None:
    """What serves for years does not load what is for a minute: nothing of login, replay and the doctor."""
    program = """
import sys
from spotty_gateway.__main__ import main
assert main(["greengrass"]) == 2
import spotty_gateway.cli.component
others = ("cli.login", "cli.replay", "doctor", "replay.judge", "replay.source")
assert not {f"spotty_gateway.{one}" for one in others} & set(sys.modules)
"""
    environment = {"PATH": "/usr/bin:/bin"}  # no nucleus has started us
    done = subprocess.run(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, env=environment, check=True
    )
    assert "only a Greengrass nucleus can start this" in done.stderr
