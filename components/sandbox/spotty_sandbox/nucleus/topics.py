"""Which MQTT topic filter fits which topic."""

from __future__ import annotations


def fits(topic_filter: str, topic: str) -> bool:
    """Whether a message on `topic` reaches a subscription to `topic_filter`, as MQTT 3.1.1 says."""
    wanted, found = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("#", "+"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(found) or level not in ("+", found[place]):
            return False
    return len(wanted) == len(found)


def is_pattern(topic_filter: str) -> bool:
    """Whether the filter stands for more than one topic."""
    return any(level in ("+", "#") for level in topic_filter.split("/"))
