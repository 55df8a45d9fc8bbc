"""What becomes of a policy that has come: judged, put in force, kept on the disk; all or nothing, each version once."""

from collections.abc import Callable

from spotty_contract.gateway import RESERVED_SENSOR_ID, GatewayPolicy, SensorWiring
from spotty_contract.policy import Policy
from spotty_contract.shadow import Desired, Order, Rejection, Reported, ShadowError, judge, order_of
from spotty_gateway.in_force import InForce
from spotty_gateway.policies_on_disk import PoliciesOnDisk
from spotty_gateway.residents import Resident, Residents, policy_on, settle

MOST_REJECTIONS = 16


class PolicyTaker:
    """Says what is to be reported. For one thread, which must not be the loop's: the disk is waited for here."""

    def __init__(self, disk: PoliciesOnDisk, in_force: InForce, say: Callable[[str], None]) -> None:
        """`say` is told what a person would want to know."""
        self._disk = disk
        self._in_force = in_force
        self._say = say
        self._has_trouble = False

    def answered(self, of: str) -> Reported | None:
        """What was reported last."""
        return self._disk.standing(of).reported

    def take(self, of: str, desired: Desired) -> Reported | None:
        """What has become of it; None where it is not news, and nothing is to be said."""
        if not self._is_news(of, desired.v):
            return None
        if of == RESERVED_SENSOR_ID:
            return self._take_sensors(desired)
        return self._take_policy(of, desired)

    def refuse(self, of: str, error: ShadowError) -> Reported | None:
        """The answer to a version that cannot even be read; None where nobody can tell which it is."""
        if error.v is None or not self._is_news(of, error.v):
            return None
        field, _, bound = str(error).partition(": ")
        return self._reject(of, error.v, (Rejection(field=field, bound=bound or field),))

    def forget(self, of: str) -> None:
        """The cloud knows no such policy any more; what lies on the disk stays in force."""
        self._on_disk(lambda: self._disk.forget(of))

    def _is_news(self, of: str, v: int) -> bool:
        return order_of(v, self._disk.standing(of).answered_v) is Order.NEWER

    def _take_policy(self, of: str, desired: Desired) -> Reported | None:
        resident, found = self._in_force.sensor(of), judge(desired, Policy)
        if resident is None:
            return None
        if isinstance(found, tuple):
            return self._reject(of, desired.v, found)
        is_kept = self._on_disk(lambda: self._disk.keep(of, desired.policy))
        self._in_force.settle(settle(resident.wiring, found, self._in_force.timezone, desired.v))
        self._say(f"{resident.wiring.name}: settings of version {desired.v} hold from now on")
        return self._applied(of, desired, is_kept=is_kept)

    def _take_sensors(self, desired: Desired) -> Reported:
        found = judge(desired, GatewayPolicy)
        if isinstance(found, tuple):
            return self._reject(RESERVED_SENSOR_ID, desired.v, found)
        faults: list[str] = []
        sensors = tuple(self._resident(wiring, found.timezone, faults) for wiring in found.sensors)
        refused = self._in_force.change(Residents(sensors, tuple(faults), found.timezone, desired.v))
        if refused:
            rejections = tuple(_rejection(found, name, why) for name, why in refused.items())
            return self._reject(RESERVED_SENSOR_ID, desired.v, rejections)
        for fault in faults:
            self._say(fault)
        self._say(f"the list of sensors of version {desired.v} holds from now on")
        ids = frozenset(one.id for one in found.sensors)
        is_kept = self._on_disk(lambda: self._replace_list(desired.policy, ids))
        return self._applied(RESERVED_SENSOR_ID, desired, is_kept=is_kept)

    def _resident(self, wiring: SensorWiring, zone: str, faults: list[str]) -> Resident:
        """The sensor with the policy it has; a new one's may lie on the disk."""
        known = self._in_force.sensor(wiring.id)
        if known is not None:
            return settle(wiring, known.policy, zone, known.rules.version)
        policy, version = policy_on(self._disk, wiring.id, faults)
        return settle(wiring, policy, zone, version)

    def _replace_list(self, policy: str, ids: frozenset[str]) -> None:
        """In this order: killed in between, we find the old list, or the new one with a version that is still to come.

        Either way the cloud's next answer is news, and this is done again to its end.
        """
        self._disk.forget_all_but(ids)
        self._disk.keep(RESERVED_SENSOR_ID, policy)
        self._disk.remove_all_but(ids)

    def _applied(self, of: str, desired: Desired, *, is_kept: bool) -> Reported:
        reported = Reported(desired.v, "applied")
        self._on_disk(lambda: self._disk.answer(of, reported, desired.policy, is_kept=is_kept))
        return reported

    def _reject(self, of: str, v: int, rejections: tuple[Rejection, ...]) -> Reported:
        first = rejections[0]
        self._say(f"settings of version {v} for {of} are refused: {first.field}: {first.bound}")
        reported = Reported(v, "rejected", rejections[:MOST_REJECTIONS])
        self._on_disk(lambda: self._disk.answer(of, reported))
        return reported

    def _on_disk(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except OSError as error:
            if not self._has_trouble:
                where = error.filename or self._disk.path(RESERVED_SENSOR_ID).parent
                self._say(
                    f"settings cannot be kept ({where}: {error.strerror}): make room or mend the folder; what has come "
                    "from the cloud holds until the gateway stops, and is asked for again at its next start"
                )
            self._has_trouble = True
            return False
        self._has_trouble = False
        return True


def _rejection(policy: GatewayPolicy, name: str, why: str) -> Rejection:
    """What is wrong with an input (`sensor/input`) that the computer will not watch."""
    for number, sensor in enumerate(policy.sensors):
        for place, one in enumerate(sensor.inputs):
            if f"{sensor.id}/{one.id}" == name:
                return Rejection(field=f"sensors.{number}.inputs.{place}.pin", value=str(one.pin), bound=why)
    return Rejection(field="sensors", bound=why)
