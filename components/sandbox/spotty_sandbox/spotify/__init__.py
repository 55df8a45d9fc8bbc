"""A simulated Spotify: the Web API's player, the accounts service, and a page of the speakers.

Start it in a test or a demo:

    world = SpotifyWorld(ManualClock())
    world.add_device("Bathroom")
    with SpotifySimulator(world) as sim:
        client = spotipy.Spotify(auth=sim.call(lambda w: w.auth.grant().access_token))
        client.prefix = sim.api_url

From inside outwards, each part knowing only those before it: `clock`, `catalogue`, `records`, `deck` (where in the
music), `devices`, `player` (what plays where), `commands` (what Spotify lets an app do) and `hand` (what a person
does), `accounts` (consent and tokens), `world` (all of that together), `deeds` (what happens there, as data); then HTTP
as plain data: `messages`, `answers`, `parameters`, `web_api`, `consent`; what goes wrong: `faults` (rules), `kinds`
(trouble by name), `random_faults` (by chance), `limits`, `fault_rule` and `fault_file`; `journal`, `service`; and last
the sockets: `page`, `server`, `simulator`, `cli`.
"""

from .accounts import Accounts, OAuthError, TokenSet
from .catalogue import Catalogue, Context, Track, invented_context
from .cli import run
from .clock import Clock, ManualClock, RunningClock
from .commands import PlayRequest, Remote
from .deeds import DeedError, deed
from .devices import Device
from .errors import SpotifyError
from .fault_file import Trouble, read_faults, read_trouble
from .fault_rule import FaultFileError
from .faults import Fault, FaultPlan, rate_limited, refused
from .hand import Hand
from .journal import Entry, Tally
from .kinds import KINDS, fault_of
from .limits import Limits
from .messages import Answer, Request, json_answer, text_answer
from .player import Asker, Player
from .random_faults import RandomFaults
from .records import advertisement, demo_catalogue
from .service import Service
from .simulator import PortTakenError, SpotifySimulator
from .world import Account, SpotifyWorld, demo_world

__all__ = [
    "KINDS",
    "Account",
    "Accounts",
    "Answer",
    "Asker",
    "Catalogue",
    "Clock",
    "Context",
    "DeedError",
    "Device",
    "Entry",
    "Fault",
    "FaultFileError",
    "FaultPlan",
    "Hand",
    "Limits",
    "ManualClock",
    "OAuthError",
    "PlayRequest",
    "Player",
    "PortTakenError",
    "RandomFaults",
    "Remote",
    "Request",
    "RunningClock",
    "Service",
    "SpotifyError",
    "SpotifySimulator",
    "SpotifyWorld",
    "Tally",
    "TokenSet",
    "Track",
    "Trouble",
    "advertisement",
    "deed",
    "demo_catalogue",
    "demo_world",
    "fault_of",
    "invented_context",
    "json_answer",
    "rate_limited",
    "read_faults",
    "read_trouble",
    "refused",
    "run",
    "text_answer",
]
