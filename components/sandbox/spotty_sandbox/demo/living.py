"""After the show: people come and go until Ctrl-C, and whoever watches knows where everything is."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spotty_gateway.engine.rules import SECOND
from spotty_sandbox import ordinary_day
from spotty_sandbox.house import Visit, edges_of, walk
from spotty_sandbox.house_clock import HouseClock

from .show import PINS, now_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotty_sandbox.aws import Person
    from spotty_sandbox.home import HomeInTheCloud
    from spotty_sandbox.spotify import SpotifySimulator

    from .kept import Kept
    from .steps import Telling

ROUND = ((ordinary_day.BATHROOM, 20, 45), (ordinary_day.KITCHEN, 47, 85), (ordinary_day.BATHROOM, 180, 210))
"""Who is where, from which second to which; the kitchen takes the music with it."""
ROUND_S = 240


def live_on(home: HomeInTheCloud, owner: Callable[[], Person], telling: Telling) -> None:
    """Until somebody interrupts. Raises HomeError or LocalAwsError where something has ended by itself."""
    pins = {f"{room}/pir": home.pin(number) for room, number in PINS.items()}
    telling.line("People come and go now; Ctrl-C ends it.\n")
    while True:
        clock, began = HouseClock(now_us(), 1.0), now_us()
        for edge in edges_of(
            Visit(f"{room}/pir", began + start_s * SECOND, began + end_s * SECOND) for room, start_s, end_s in ROUND
        ):
            clock.run_to(edge.at)
            home.check()
            owner()
            walk([edge], pins, clock)
        clock.run_to(began + ROUND_S * SECOND)


def where_things_are(home: HomeInTheCloud, kept: Kept, simulator: SpotifySimulator) -> str:
    """For a person: addresses, and commands that work as they stand."""
    token = shlex.quote(str(kept.token))
    ask = f'curl -s -H "Authorization: $(cat {token})"'
    put = f'{ask} -X PUT -H "Content-Type: application/json"'
    change = shlex.quote('{"policy": {"vacancyDelayS": 60}}')
    sensor = home.sensor(ordinary_day.BATHROOM)
    spotty = shlex.quote(str(Path(sys.executable).with_name("spotty")))
    told = {
        "speakers": simulator.page_url,
        "API": f"{home.api.url}, described at {home.api.url}/docs",
        "sessions": f"{ask} {home.api.url}/sessions",
        "settings": f"{put} -d {change} {home.api.url}/sensors/{sensor}",
        "gateway": f"{spotty} status --data {shlex.quote(str(home.data))}",
        "login": f"ada@example.org, password in {kept.login}",
        "kept in": f"{kept.folder} (make demo CLEAN=1 forgets it)",
    }
    return "\n".join(f"  {name:9} {what}" for name, what in told.items())
