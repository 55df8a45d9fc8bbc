"""Which addresses a process listens on, as the kernel tells it."""

from __future__ import annotations

import ipaddress
from pathlib import Path

_LISTENING, _UNCONNECTED = "0A", "07"


def family_of(pid: int) -> list[int]:
    """The process and its children, theirs too."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid, *(one for child in children for one in family_of(child))]


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of each TCP socket that listens, and of each UDP socket that takes from anybody."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table, state in (("tcp", _LISTENING), ("tcp6", _LISTENING), ("udp", _UNCONNECTED), ("udp6", _UNCONNECTED)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == state and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add((_address(address), int(port, 16)))
    return found


def _address(told: str) -> str:
    """The kernel writes words of four bytes, each backwards."""
    words = [bytes.fromhex(told[at : at + 8])[::-1] for at in range(0, len(told), 8)]
    return str(ipaddress.ip_address(b"".join(words)))
