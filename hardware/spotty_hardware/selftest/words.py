"""What the self-test says: how to wire, what to do in each phase, what a fault means and how to cure it.

Data only; `hardware/README.md` tells the same at length.
"""

from typing import Final, NamedTuple

from spotty_hardware.input_spec import InputKind
from spotty_hardware.selftest.judge import Fault, Phase


class Remedy(NamedTuple):
    """A fault in words, and its cures, the likeliest first."""

    what: str
    cures: tuple[str, ...]


WIRING: Final = {
    InputKind.PIR: (
        "VCC to 5 V (header position 2; an AM312 or a radar too), GND to ground (position 6), OUT to {pin}.",
        "Never feed 5 V into {pin} itself: it stands 3.3 V and no more.",
    ),
    InputKind.CONTACT: (
        "One leg of the reed contact to {pin}, the other to ground (header position 9).",
        "The magnet sits on the door, the contact on the frame, less than 15 mm apart when closed.",
    ),
    InputKind.BUTTON: ("One leg of the button to {pin}, the other to ground (header position 14). No resistor.",),
}

INSTRUCTION: Final = {
    (InputKind.PIR, Phase.WARM_UP): "Leave the sensor alone. It gets used to the room and may fire by itself.",
    (InputKind.PIR, Phase.STILL): "Leave its sight, or do not move at all.",
    (InputKind.PIR, Phase.ACT): "Now wave, or walk across its view. Several times, with pauses.",
    (InputKind.CONTACT, Phase.WARM_UP): "Leave the door alone.",
    (InputKind.CONTACT, Phase.STILL): "Keep the door closed.",
    (InputKind.CONTACT, Phase.ACT): "Now open and close the door, several times.",
    (InputKind.BUTTON, Phase.WARM_UP): "Leave the button alone.",
    (InputKind.BUTTON, Phase.STILL): "Do not touch the button.",
    (InputKind.BUTTON, Phase.ACT): "Now press and release the button, several times.",
}

STATE: Final = {
    InputKind.PIR: ("quiet", "motion"),
    InputKind.CONTACT: ("closed", "open"),
    InputKind.BUTTON: ("released", "pressed"),
}

SLOW: Final = "It works, but holds its output long: turn the time knob left to its stop (about 3 s)."

_LOOSE_WIRE: Final = "push every plug home and move the wires: a loose one, or a missing ground, does this"

REMEDIES: Final = {
    (Fault.CHATTER, InputKind.PIR): Remedy(
        "The line flickers faster than any sensor works.",
        (
            _LOOSE_WIRE,
            "move the sensor 30 cm away from the Pi and from any Wi-Fi antenna: radio makes an HC-SR501 fire",
            "put 100 nF between VCC and GND at the sensor; keep the cable under 5 m",
        ),
    ),
    (Fault.CHATTER, InputKind.CONTACT): Remedy(
        "The line flickers faster than any door moves.",
        (_LOOSE_WIRE, "bring the magnet closer: at the edge of its reach the contact trembles"),
    ),
    (Fault.CHATTER, InputKind.BUTTON): Remedy(
        "The line flickers faster than any finger.",
        (_LOOSE_WIRE, "keep the pull-up (do not set pull to none), and try another button"),
    ),
    (Fault.STUCK, InputKind.PIR): Remedy(
        "The line was active all the time.",
        (
            "turn the time knob left to its stop: at its right stop one pulse lasts five minutes",
            "check that OUT and VCC are not swapped: their order differs, read it on the board under the dome",
            "measure OUT against ground: 3.3 V means it sees something warm and moving, 5 V would harm the Pi",
        ),
    ),
    (Fault.STUCK, InputKind.CONTACT): Remedy(
        "The door read as open all the time.",
        (
            "bring the magnet closer to the contact, along its length",
            "check both wires: a broken one reads as an open door",
            "an alarm contact that opens at its magnet (NC) needs --active-low",
        ),
    ),
    (Fault.STUCK, InputKind.BUTTON): Remedy(
        "The button read as pressed all the time.",
        (
            "turn the button by 90 degrees: two of its four legs are always connected",
            "a button wired to 3.3 V instead of ground needs --active-high --pull down",
        ),
    ),
    (Fault.NEVER_FIRES, InputKind.PIR): Remedy(
        "The sensor saw nothing while you moved.",
        (
            "check the number: BCM numbers are meant, GPIO17 sits at header position 11",
            "check its power: 5 V between VCC and GND (HC-SR501, LD2410), at least 3.3 V (AM312)",
            "wait a minute after power-up, turn the sensitivity knob right, walk across its view instead of towards it",
        ),
    ),
    (Fault.NEVER_FIRES, InputKind.CONTACT): Remedy(
        "The door read as closed all the time.",
        ("check the number of the pin", "take the magnet away by hand: if that changes nothing, the wires touch"),
    ),
    (Fault.NEVER_FIRES, InputKind.BUTTON): Remedy(
        "The button was never seen pressed.",
        ("check the number of the pin and the wire to ground", "use two legs that lie diagonally across the button"),
    ),
    (Fault.FALSE_TRIGGERS, InputKind.PIR): Remedy(
        "The sensor fired while nothing moved.",
        (
            "was it really still? Pets, curtains, steam and your own arm count; run the test again",
            "turn it away from sun, heater, shower and fan; turn the sensitivity knob left",
            "let it warm up for a full minute, and keep it 30 cm away from Wi-Fi antennas",
        ),
    ),
    (Fault.FALSE_TRIGGERS, InputKind.CONTACT): Remedy(
        "The door read as opened while it was closed.", ("bring the magnet closer", _LOOSE_WIRE)
    ),
    (Fault.FALSE_TRIGGERS, InputKind.BUTTON): Remedy(
        "The button read as pressed while nobody touched it.", (_LOOSE_WIRE, "keep its cable away from mains cables")
    ),
}
