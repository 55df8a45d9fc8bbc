"""The end of an account, but for its tokens: our music stopped, its devices and places forgotten."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotty_gateway.local import LocalError, NobodyAnswersError, ask

if TYPE_CHECKING:
    from spotty_gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came of it: rooms whose music could not be stopped, and why something is still remembered, if it is."""

    still_playing: tuple[str, ...] = ()
    wrong: str | None = None


def forget_account(settings: "Settings") -> Forgotten:
    """Let the running gateway pause what is ours and forget the account, or forget it on its disk where none runs.

    For before the tokens are deleted: without them nobody can look whose music plays. Raises nothing; whatever is
    wrong, the tokens can go.
    """
    try:
        return Forgotten(still_playing=tuple(ask(settings.socket, {"do": "forget_account"})["stillPlaying"]))
    except NobodyAnswersError:
        pass
    except LocalError as error:
        return Forgotten(wrong=str(error))
    if not (settings.data_dir / "state.db").exists():
        return Forgotten()
    from spotty_gateway.cli.alone import forget_on_disk  # noqa: PLC0415 - it loads the whole gateway

    said: list[str] = []
    try:
        if not forget_on_disk(settings, said.append):
            return Forgotten(wrong=said[0] if said else "state.db could not be written")
    except LocalError as error:
        return Forgotten(wrong=str(error))
    return Forgotten()
