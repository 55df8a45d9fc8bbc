"""The demo with its cloud: AWS, gateway and Spotify on this computer, a visit from pin to API, a home that lives on."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from spotty_sandbox import ordinary_day
from spotty_sandbox.aws import LocalAws, LocalAwsError, deploy_ours
from spotty_sandbox.aws import setting as local_aws
from spotty_sandbox.home import HomeError, HomeInTheCloud
from spotty_sandbox.spotify import PortTakenError, SpotifySimulator, demo_world, invented_context

from .kept import FOLDER, BusyError, Kept, Owner
from .living import live_on, where_things_are
from .outcome import BAD_INPUT, ENDING, NOT_SEEN, PLAYED
from .show import PINS, Show, settings_of
from .steps import Telling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def run(folder: Path | None, port: int, *, fresh: bool) -> int:
    """Play. 0: all that is promised was seen, 1: something was not, 2: it cannot be done here."""
    kept = Kept((folder or FOLDER).resolve())
    try:
        local_aws.python()  # before anything is made
        with kept.alone():
            if fresh:
                kept.forget()
            return _play(kept, port, Telling())
    except (HomeError, LocalAwsError, PortTakenError, BusyError) as error:
        told = "; then ".join([str(error), *getattr(error, "__notes__", ())][:2])
        sys.stderr.write(f"spotty-sandbox demo: {told}\n")
        return NOT_SEEN if isinstance(error, HomeError) else BAD_INPUT


def _play(kept: Kept, port: int, telling: Telling) -> int:
    telling.line("A home with its cloud, all of it on this computer.\n")
    with _ended_in_peace(telling) as parts:
        simulator = parts.enter_context(_spotify(port))
        home, owner = _started(kept, simulator, parts, telling)
        telling.line(
            f"\nready in {telling.elapsed_s:.0f} s. The speakers: {simulator.page_url} (Ctrl-C ends the demo)\n"
        )
        telling.open()
        try:
            Show(home, simulator, telling).play()
        except HomeError:
            home.check()  # where something has ended by itself, that is the reason
            raise
        telling.line(f"\n{where_things_are(home, kept, simulator)}\n")
        if not sys.stdout.isatty():
            return PLAYED
        with suppress(KeyboardInterrupt):  # the way to end it
            live_on(home, owner, telling)
        telling.line("\nThe next demo finds this home as it is.")
    return PLAYED


def _started(
    kept: Kept, simulator: SpotifySimulator, parts: ExitStack, telling: Telling
) -> tuple[HomeInTheCloud, Owner]:
    with telling.step("the local AWS starts"):
        aws = parts.enter_context(LocalAws(kept.aws))
    with telling.step("our stack is deployed to it") as notes:
        stack = deploy_ours(aws, notes.append)
    with telling.step("its owner signs in") as notes:
        if not kept.counts_on(aws):
            notes.append("the local AWS was not ended in order and has forgotten: the gateway is registered anew")
            HomeInTheCloud.forget(kept.home)
        owner = Owner(kept, aws, stack.output("UserPoolId"))
        notes.append(owner().email)
    with telling.step("their gateway is registered") as notes:
        home = parts.enter_context(HomeInTheCloud(aws, stack, owner, simulator, kept.home, tell=telling.hear))
        notes.append(home.gateway_id)
        home.is_the_only_one()
    with telling.step("its rooms get their settings") as notes:
        for room, pin in PINS.items():
            home.has_room(room, ordinary_day.SPEAKERS[room], pin, settings_of(room))
        notes.append(f"sessions so far: {_so_far(home)}")
    with telling.step("the gateway starts, under nucleus lite"):
        home.start_gateway()
    with telling.step("it takes the settings from the cloud") as notes:
        notes += [f"{room} v{home.in_step(room)['version']}" for room in PINS]
    return home, owner


def _so_far(home: HomeInTheCloud) -> str:
    page = home.api.get("/sessions")
    return f"{len(page['sessions'])}{' and more' if page['nextCursor'] else ''}"


def _spotify(port: int) -> SpotifySimulator:
    world = demo_world(devices=tuple(ordinary_day.SPEAKERS.values()))
    for room, uri in ordinary_day.PLAYLISTS.items():
        world.catalogue.add(invented_context(uri, ordinary_day.PLAYLIST_NAMES[room]))
    return SpotifySimulator(world, port=port)


@contextmanager
def _ended_in_peace(telling: Telling) -> Iterator[ExitStack]:
    """What is started in here is ended in order, whoever presses Ctrl-C once more."""
    began_s = time.monotonic()
    with ExitStack() as parts:
        try:
            yield parts
        finally:
            for one in ENDING:
                signal.signal(one, signal.SIG_IGN)
            telling.close()
            began_s = time.monotonic()
    telling.line(f"All of it has ended in order, in {time.monotonic() - began_s:.1f} s.")
