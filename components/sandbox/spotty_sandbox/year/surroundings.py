"""What every run of the component has around it, from one end of the year to the other."""

import random
from dataclasses import dataclass

from spotty_gateway.settings import Settings

from .agenda import Agenda
from .disk import Disk
from .engine_promises import EnginePromises
from .music_promises import MusicPromises
from .story import Story
from .truth import Truth


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run has around it."""

    agenda: Agenda
    rng: random.Random
    story: Story
    disk: Disk
    settings: Settings
    truth: Truth
    music: MusicPromises
    engine: EnginePromises
