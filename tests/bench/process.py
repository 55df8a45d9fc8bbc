"""The whole component as a process: how soon it watches, what it costs while nothing happens, how large it is."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.latency import WIRING

SETTLE_S = 15
"""The levels found at the start are written down within ten seconds; that is not idling yet."""

IDLE_S = 60
TICKS = os.sysconf("SC_CLK_TCK")


def start() -> list[Figure]:
    """From the start of the process to "watching"; the floor is Python starting with nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        settings = _prepare(Path(folder))
        seconds = []
        for _ in range(3):  # the first is not warm
            process, took_s = _started(settings)
            seconds.append(took_s)
            stop(process)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    floor_s = time.perf_counter() - began
    best = min(seconds[1:])
    return [Figure("start to watching", best * 1e3, floor_s * 1e3, "ms", 500 / (floor_s * 1e3))]


def idle() -> list[Figure]:
    """CPU and wake-ups of a minute in which nothing happens, and memory after it; the floor is a sleeping Python."""
    with tempfile.TemporaryDirectory() as folder:
        process, _ = _started(_prepare(Path(folder)))
        sleeper = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        time.sleep(SETTLE_S)
        before_cpu, before_wakes = _cpu_s(process.pid), wakes(process.pid)
        time.sleep(IDLE_S)
        cpu_s, woken = _cpu_s(process.pid) - before_cpu, wakes(process.pid) - before_wakes
        resident_kb, floor_kb = memory_kb(process.pid), memory_kb(sleeper.pid)
        sleeper.kill()
        sleeper.wait()
        stop(process)
    return [
        Figure(f"idle for {IDLE_S} s: CPU seconds (a tick is {1 / TICKS:g} s)", cpu_s, 0.01, "s", 1.0),
        Figure(f"idle for {IDLE_S} s: wake-ups of all threads", woken, 1, "", 0.0),
        Figure(
            "resident memory of the whole component", resident_kb / 1024, floor_kb / 1024, "MB", 60 * 1024 / floor_kb
        ),
    ]


def _prepare(folder: Path) -> Path:
    policies = folder / "policies"
    policies.mkdir(parents=True)
    (policies / "gateway.json").write_text(json.dumps(WIRING))
    settings = folder / "settings.json"
    settings.write_text(
        json.dumps(
            {"dataDir": str(folder), "pinFactory": "mock", "clock": "assume_trusted", "spotifyClientId": "bench"}
        )
    )
    return settings


def _started(settings: Path) -> tuple["subprocess.Popen[str]", float]:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "spotty_gateway", "run", "--settings", str(settings)],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout or ():
        if line.startswith("watching"):
            return process, time.perf_counter() - began
    raise RuntimeError("the gateway did not start")


def stop(process: "subprocess.Popen[str]") -> None:
    """In order."""
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wakes(pid: int) -> int:
    """Voluntary context switches of all threads: each is a thread that had been woken going back to sleep."""
    return sum(
        int(line.split()[1])
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )


def memory_kb(pid: int) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0
