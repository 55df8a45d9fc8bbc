"""Run by test_policy_sync.py in a process of its own: takes policies, is killed meanwhile, and looks at what is left.

Each round forks a gateway that takes ever newer versions and tells through a pipe which it began and which it has
reported; it is killed at a random instant. One line a round: `begun durable found healed`, where `found` is the version
that the files then hold, and `healed` the one that holds after the next start has heard from the cloud.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.gateway.shadows import FakeCloud, Home, list_of, room, waits

CHANCE = random.SystemRandom()
FIRST_DELAY_S = 30
BATH = room("bath", 17)


class Telling(FakeCloud):
    """A cloud that tells through a pipe what was reported."""

    pipe: int

    def publish(self, topic: str, payload: bytes) -> None:
        """From the gateway."""
        super().publish(topic, payload)
        for _, one in self.reports:
            os.write(self.pipe, b"d%d\n" % one["v"])
        self.reports.clear()


def sync_until_killed(folder: Path, first: int, pipe: int) -> None:
    """Take version after version, for ever."""
    cloud = Telling()
    cloud.pipe = pipe
    home = Home(folder, cloud)
    v = first
    while True:
        os.write(pipe, b"b%d\n" % v)
        cloud.wants("bath", v, waits(FIRST_DELAY_S + v))
        home.deliver_all()
        v += 1


def kill_soon(pid: int) -> None:
    """Kill the gateway within a few milliseconds; spinning is finer than any sleep."""
    until = time.perf_counter() + CHANCE.uniform(0, 0.004)
    while time.perf_counter() < until:
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def one_round(folder: Path, first: int) -> tuple[int, int]:
    """Let it get so far and kill it; the last version begun, and the last reported."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reads)
        sync_until_killed(folder, first, writes)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        told = [pipe.readline() for _ in range(1 + CHANCE.randrange(12))]
        kill_soon(pid)
        told += pipe.readlines()
    durable = max((int(one[1:]) for one in told if one.startswith(b"d")), default=first - 1)
    return max((int(one[1:]) for one in told), default=first - 1), durable


def main(folder: Path, rounds: int) -> None:
    """Rounds in one folder, each going on where the last was killed."""
    (folder / "gateway.json").write_text(list_of(BATH))
    first = 1
    for _ in range(rounds):
        begun, durable = one_round(folder, first)
        path = folder / "sensor-bath.json"
        found = json.loads(path.read_text())["vacancyDelayS"] - FIRST_DELAY_S if path.exists() else 0
        cloud = FakeCloud()
        cloud.wants("bath", begun + 1, waits(FIRST_DELAY_S + begun + 1))
        home = Home(folder, cloud)
        home.pass_s(2)
        healed = home.house.rooms["bath"].rules.version
        sys.stdout.write(f"{begun} {durable} {found} {healed}\n")
        first = begun + 2


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
