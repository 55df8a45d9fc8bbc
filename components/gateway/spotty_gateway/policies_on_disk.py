"""The last good policies, and what was answered about each: the files that the residents' wishes live in.

`gateway.json` and `sensor-<id>.json` are the one place, whoever wrote them: a person by hand, or the cloud through us.
`versions.json` stands beside them and says which version of the cloud's each one is, and what was reported of the last
one that came. A kill between the two leaves a policy that is newer than its version says; then the version does not
fit the file's digest, counts as unknown, and the cloud's next answer puts it right.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.shadow import Reported
from spotty_contract.topics import shadow_name
from spotty_gateway.durable_file import remove_durably, replace_durably

VERSIONS = "versions.json"
OWN_EYES = 0o600
_DIGEST_CHARS = 16


@dataclass(frozen=True, slots=True)
class Standing:
    """How a policy stands with the cloud: what was reported last, and the version and digest of the file in force."""

    reported: Reported | None = None
    applied_v: int = 0
    digest: str = ""

    @property
    def answered_v(self) -> int | None:
        """The last version that was answered, with whatever outcome."""
        return None if self.reported is None else self.reported.v


NEVER_HEARD = Standing()
_STANDINGS: TypeAdapter[dict[str, Standing]] = TypeAdapter(dict[str, Standing])


class PoliciesOnDisk:
    """One folder. A policy is known by its sensor's id, the list of sensors by `gateway`. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """What cannot be read of the versions counts as never heard of: the cloud's next answers bring them again."""
        self._folder = folder
        self._standings = _read(folder / VERSIONS)
        self._saved = self._standings
        """Without what is in force and could not be kept: after a restart that is news again."""

    def path(self, of: str) -> Path:
        """The file of this policy."""
        return self._folder / f"{shadow_name(of)}.json"

    def standing(self, of: str) -> Standing:
        """How it stands with the cloud."""
        return self._standings.get(of, NEVER_HEARD)

    def version(self, of: str, content: bytes) -> int:
        """The cloud's version of this content of the file; 0 where it is a person's own, or nobody knows."""
        standing = self.standing(of)
        return standing.applied_v if standing.digest == digest_of(content) else 0

    def keep(self, of: str, policy: str) -> None:
        """Make this the last good policy. Raises OSError; the one before it then stands."""
        replace_durably(self.path(of), policy.encode())

    def answer(self, of: str, reported: Reported, policy: str | None = None, *, is_kept: bool = True) -> None:
        """Remember what was reported, and that this `policy` is in force as that version. Raises OSError.

        What cannot be written, or `is_kept` in no file, is remembered all the same until the end of the process.
        """
        before = self.standing(of)
        standing = Standing(reported, before.applied_v, before.digest)
        if policy is not None:
            standing = Standing(reported, reported.v, digest_of(policy.encode()))
        self._standings = {**self._standings, of: standing}
        if is_kept:
            self._write({**self._saved, of: standing})

    def forget(self, *of: str) -> None:
        """The cloud knows no such policy: whatever version comes next is news. The file stays. Raises OSError."""
        self._standings = {name: one for name, one in self._standings.items() if name not in of}
        left = {name: one for name, one in self._saved.items() if name not in of}
        if left != self._saved:
            self._write(left)

    def forget_all_but(self, sensor_ids: frozenset[str]) -> None:
        """Of other sensors nothing is known to have been answered. Raises OSError."""
        self.forget(*(self._standings.keys() - sensor_ids - {RESERVED_SENSOR_ID}))

    def remove_all_but(self, sensor_ids: frozenset[str]) -> None:
        """There are no other sensors any more: their policies go. Raises OSError."""
        known = {self.path(one) for one in sensor_ids}
        for path in self._folder.glob("sensor-*.json"):
            if path not in known:
                remove_durably(path)

    def _write(self, standings: dict[str, Standing]) -> None:
        replace_durably(self._folder / VERSIONS, _STANDINGS.dump_json(standings, indent=1), OWN_EYES)
        self._saved = standings


def digest_of(content: bytes) -> str:
    """Enough to see that a person has changed a file."""
    return hashlib.sha256(content).hexdigest()[:_DIGEST_CHARS]


def _read(path: Path) -> dict[str, Standing]:
    try:
        return _STANDINGS.validate_json(path.read_bytes(), strict=False)
    except (OSError, ValidationError):
        return {}
