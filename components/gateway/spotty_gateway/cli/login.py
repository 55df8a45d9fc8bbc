"""`spotty login` and `spotty logout`: consent to use a Spotify account, and its end."""

import argparse
import os
import pwd
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from spotty_gateway.cli.callback import HOST, PATH, Answers, Page, Pasted, Served
from spotty_gateway.cli.forgetting import forget_account
from spotty_gateway.local import LocalError, ask
from spotty_gateway.private import make_private_folder

if TYPE_CHECKING:
    from spotty_gateway.consent import Consent, PendingConsent
    from spotty_gateway.settings import Settings

NOT_DONE = 1
BAD_INPUT = 2
DEFAULT_PORT = 8888

APPS = "https://developer.spotify.com/dashboard"
ACCOUNT_APPS = "https://www.spotify.com/account/apps"

EPILOG = f"""\
Once, before the first login, at {APPS}:
  1. Create an app (the account that owns it needs Premium) and choose "Web API".
  2. As redirect URI add http://{HOST}:{DEFAULT_PORT}{PATH}, exactly so, or with the port that you name here.
  3. Copy the app's Client ID into the gateway's settings as "spotifyClientId". Its client secret is never needed.

On a gateway without a browser: --paste, or reach its port from your own computer with
  ssh -L {DEFAULT_PORT}:{HOST}:{DEFAULT_PORT} GATEWAY
"""


class _CannotBeginError(Exception):
    """Nothing was asked; one line says what is in the way."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Teach the command line these commands."""
    parser = commands.add_parser(
        "login",
        help="connect a Spotify account",
        description="Ask for consent to use a Spotify account. The tokens that come of it stay on the gateway.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _takes_settings(parser)
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="the port in the redirect URI (default: %(default)s)"
    )
    parser.add_argument("--paste", action="store_true", help="the browser is on another computer: paste its address")
    parser.set_defaults(run=login)
    parser = commands.add_parser(
        "logout",
        help="disconnect the Spotify account",
        description="Stop the music that is ours, and delete from the gateway Spotify's tokens, what is remembered of "
        "the account's speakers, and where playlists were left. What Spotify has asked of the app, such as a wait, "
        "stays.",
    )
    _takes_settings(parser)
    parser.set_defaults(run=logout)


def login(arguments: argparse.Namespace) -> int:
    """Do it. 0: connected, 1: consent came to nothing, 2: it could not be asked for (one line says why)."""
    # requests and spotipy take a third of a second to load: the other commands need not wait for that.
    from spotty_gateway.consent import Consent  # noqa: PLC0415 - see above
    from spotty_gateway.settings import BadSettingsError, read_settings  # noqa: PLC0415 - see above

    try:
        settings, faults = read_settings(arguments.settings)
        for fault in faults:
            _complain("login", fault, BAD_INPUT)
        _check(settings, arguments.settings)
        consent = Consent(settings.spotify_client_id, settings.spotify_accounts_url, settings.tokens)
        with _answers(arguments) as answers:
            pending = consent.ask(f"http://{HOST}:{arguments.port}{PATH}")
            _say(_question(pending, settings, paste=arguments.paste))
            return connect(consent, pending, answers, lambda: _tell_gateway(settings.socket))
    except (BadSettingsError, _CannotBeginError) as error:
        return _complain("login", str(error), BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("login", "interrupted", NOT_DONE)


def connect(
    consent: "Consent", pending: "PendingConsent", answers: Answers, tell_gateway: Callable[[], bool] = lambda: False
) -> int:
    """Wait for the answer and act on it; 0 or 1, said to the person at the terminal and in the browser.

    `tell_gateway` is called when there are new tokens: whether a gateway runs and has heard it.
    """
    from spotty_gateway.consent import CONSENT_LASTS_S, ConsentError, NotTheAnswerError, read_answer  # noqa: PLC0415 - see login

    while pending.left_s():
        try:
            address = answers.wait(pending.left_s())
            if address is None:
                continue
            given_at = consent.finish(pending, read_answer(address))
        except NotTheAnswerError as error:
            answers.tell(Page("Not this one", _sentence(error)))
            _complain("login", f"{error}; still waiting", NOT_DONE)
        except ConsentError as error:
            answers.tell(Page("Not connected", _sentence(error)))
            return _complain("login", str(error), NOT_DONE)
        except EOFError:
            return _complain("login", "no address was pasted: connect again and paste the whole address", NOT_DONE)
        else:
            answers.tell(Page("Connected", "You can close this window.", HTTPStatus.OK))
            until = datetime.fromtimestamp(given_at + CONSENT_LASTS_S, UTC).date()
            then = "The gateway uses it from now on." if tell_gateway() else "The gateway will use it when it runs."
            _say(f"Connected. Spotify's consent lasts until {until}. {then}")
            return 0
    return _complain("login", "no answer came within ten minutes: connect again with a new link", NOT_DONE)


def logout(arguments: argparse.Namespace) -> int:
    """Do it. 0: nothing of the account is left, 1: something could not be deleted, 2: the settings cannot be used."""
    from spotty_gateway.consent import forget  # noqa: PLC0415 - see login
    from spotty_gateway.settings import BadSettingsError, read_settings  # noqa: PLC0415 - see login

    try:
        settings, _ = read_settings(arguments.settings)
        data = forget_account(settings)
        had_any = forget(settings.tokens)
        _tell_gateway(settings.socket)
    except BadSettingsError as error:
        return _complain("logout", str(error), BAD_INPUT)
    except OSError as error:
        where = error.filename or "the data folder"
        return _complain("logout", f"{where}: {error.strerror}; run this as the user that owns it", NOT_DONE)
    _say(
        f"{'Spotify is disconnected: its tokens are deleted.' if had_any else 'Spotify was not connected.'} "
        "Your rooms' settings and history stay.\n"
        f"Spotify still lists the app until you remove it at {ACCOUNT_APPS}"
    )
    for room in data.still_playing:
        _say(f"Music could not be stopped in {room}: stop it there by hand if it still plays.")
    if data.wrong is not None:
        return _complain(
            "logout", f"its speakers and where playlists were left are still known: {data.wrong}", NOT_DONE
        )
    return 0


def _tell_gateway(socket: Path) -> bool:
    """Whether a gateway runs and knows now that the account has changed."""
    try:
        ask(socket, {"do": "account_changed"})
    except LocalError:  # it looks at the tokens whenever it needs them: this only saves it the wait
        return False
    return True


def _takes_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--settings", metavar="FILE.json", type=Path, required=True, help="the gateway's settings")


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; choose one from 1024 to 65535")


def _check(settings: "Settings", named: Path) -> None:
    """Find out before a person is asked, not after, what would be in the way of keeping the tokens."""
    if not settings.spotify_client_id:
        raise _CannotBeginError(
            f"{named} has no spotifyClientId: create an app at {APPS} and put its Client ID there (spotty login --help)"
        )
    folder = settings.data_dir
    try:
        make_private_folder(folder)
        owner = folder.stat().st_uid
    except OSError as error:
        raise _CannotBeginError(f"{folder}: {error.strerror}; the gateway keeps its tokens there") from error
    # What root or another user saves, the gateway could not read.
    if owner != os.geteuid() and (os.geteuid() == 0 or not os.access(folder, os.W_OK)):
        raise _CannotBeginError(f"{folder} belongs to {_name_of(owner)}: run this with sudo -u {_name_of(owner)}")


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"


def _answers(arguments: argparse.Namespace) -> AbstractContextManager[Answers]:
    if arguments.paste:
        return nullcontext(Pasted())
    try:
        return Served(arguments.port)
    except OSError as error:
        raise _CannotBeginError(
            f"port {arguments.port} cannot be had ({error.strerror}): end what uses it, or choose another with --port "
            "and register that redirect URI too"
        ) from error


def _question(pending: "PendingConsent", settings: "Settings", *, paste: bool) -> str:
    where, then = (
        ("any browser", "The browser then shows that a page cannot be opened. That is right: paste its whole address:")
        if paste
        else ("a browser on this computer", "Waiting for the answer (Ctrl-C to give up) ...")
    )
    return (
        f"In your Spotify app {settings.spotify_client_id} ({APPS})\n"
        f"this redirect URI must be registered, exactly so:\n\n    {pending.redirect_uri}\n\n"
        f"Open this link in {where} and agree, within ten minutes:\n\n    {pending.link}\n\n{then}"
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(command: str, text: str, code: int) -> int:
    print(f"spotty {command}: {text}", file=sys.stderr, flush=True)
    return code
