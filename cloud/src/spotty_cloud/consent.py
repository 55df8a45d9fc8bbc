"""When somebody has to hear of a household's consent to Spotify. Pure."""

from datetime import UTC, datetime

from spotty_contract.status import DeviceStatus


def consent_due_day(status: DeviceStatus, received_at_ms: int) -> str | None:
    """The day (UTC) under which the gateway stands in ConsentIndex; None where it should not stand there.

    A good consent stands under its last day. One that has lapsed, or that Spotify refuses, stands under the day on
    which the gateway last said so, by our clock: the fault is there now, whenever its last day was. Where there is
    none at all nobody is told: it was never given, or the household itself took it back.
    """
    match status.consent.state:
        case "given":
            return None if status.consent.ends_at is None else day_of(status.consent.ends_at)
        case "lapsed" | "refused":
            return day_of(received_at_ms)
    return None


def day_of(at_ms: int) -> str:
    """The day (UTC) of an instant."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
