"""A simulated year of a household, again and again, with the gateway's own code in it.

From inside outwards: `clock` and `agenda` (time), `story` (what happened, for whoever has to find out why), `home`
(rooms and their policies), `truth` (what Spotify's side knows), `trouble` (what goes wrong), `music_promises` and
`engine_promises` (what must hold at every step), `wire` (requests' transport into the simulated Spotify), `disk`,
`gateway` (one run of the component, without threads), `computer`, `account`, `people` (who lives there), `mishaps`
(what befalls speakers, computer and consent), `life` (all of it), `command`.
"""

from .command import run
from .life import Life, Outcome
from .story import Broken

__all__ = ["Broken", "Life", "Outcome", "run"]
