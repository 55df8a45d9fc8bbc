"""What came of commands, beside the commands themselves."""

from dataclasses import dataclass
from typing import ClassVar, Self

from spotty_cloud.ingest.requests import Request, TableName, update
from spotty_cloud.ingest.rows import Item, NothingThereError, Owner, plain
from spotty_contract.results import CommandResult


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What came of a command: the first result holds."""

    record: CommandResult
    owner: Owner

    table: ClassVar[TableName] = "commands"

    @property
    def key(self) -> str:
        """The command's id."""
        return self.record.command_id

    def joined(self, later: Self) -> Self:  # noqa: ARG002  # the first one holds
        """The first one."""
        return self

    def begin(self, known: Item | None) -> Request | None:  # noqa: ARG002  # nothing is read before
        """The result, on a command that was this gateway's, given by who owns it."""
        return update(
            {"commandId": self.key},
            {"result": plain(self.record)},
            "#gatewayId = :gatewayId AND #userId = :userId AND attribute_not_exists(#result)",
            self.owner.values(),
        )

    def after(self, found: Item | None) -> Request | None:
        """There is one already; or nobody waits for it any more."""
        if found is None:
            raise NothingThereError
        self.owner.check(found)
        return None

    def told(self, before: Item) -> tuple[str, Item]:  # noqa: ARG002  # a result that is written is news
        """The result; but a link to Spotify only to who asks for it by the command's id."""
        told = {name: value for name, value in plain(self.record).items() if name != "connect"}
        return "result", told | {"gatewayId": self.owner.gateway_id, "state": self.record.outcome}
