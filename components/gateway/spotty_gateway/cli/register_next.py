"""What a person does after `spotty register`: the commands that start a nucleus with what was written."""

from spotty_contract.registering import Registered
from spotty_gateway.registering.configuration import MQTT_PORT, has_greengrass
from spotty_gateway.registering.place import NucleusKind, Place

LITE_S_MEMORY, CLASSIC_S_MEMORY = "config.db", "config/config.tlog"


def next_steps(place: Place, given: Registered) -> list[str]:
    """Lines for the terminal."""
    lines = _warnings(place, given)
    if not place.is_standard:
        return [*lines, f"Nucleus {place.nucleus} starts from {place.configuration}, and must be allowed to read all."]
    steps = _lite(place) if place.nucleus is NucleusKind.LITE else _classic(place)
    return [*lines, "What is left to do:", "", *(f"    {step}" for step in steps)]


def _warnings(place: Place, given: Registered) -> list[str]:
    lines = []
    if not has_greengrass(given):
        lines += [
            "But this cloud has no part for Greengrass, without which no nucleus fetches components: deploy its stack",
            "with WithGreengrass=true, then run this with --again.",
            "",
        ]
    if given.data_port != MQTT_PORT and place.nucleus is NucleusKind.LITE:
        lines += [
            f"But this cloud listens on port {given.data_port}, and nucleus lite connects to {MQTT_PORT} only.",
            "",
        ]
    return lines


def _lite(place: Place) -> list[str]:
    package_s = "/etc/greengrass/config.d/greengrass-lite.yaml"
    memory = place.root / LITE_S_MEMORY
    forget = ["sudo systemctl stop greengrass-lite.target", f"sudo rm {memory}"] if memory.exists() else []
    return [
        f"sudo sed -i 's/ggcore:ggcore/gg_component:gg_component/' {package_s}",
        "sudo usermod -aG gpio gg_component",
        *forget,
        "sudo systemctl enable --now greengrass-lite.target",
    ]


def _classic(place: Place) -> list[str]:
    has_run = (place.root / CLASSIC_S_MEMORY).exists()
    return [
        *(["sudo systemctl stop greengrass.service"] if has_run else []),
        f"sudo -E java -Droot={place.root} -Dlog.store=FILE -jar GreengrassInstaller/lib/Greengrass.jar \\",
        f"  --init-config {place.configuration} --component-default-user ggc_user:ggc_group \\",
        "  --setup-system-service true",
        "sudo usermod -aG gpio ggc_user",
        "sudo systemctl restart greengrass.service",
    ]
