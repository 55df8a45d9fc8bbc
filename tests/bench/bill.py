"""What is paid for, and how many of each there are in a month of so many homes: the arithmetic of cost.py. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

DAYS = 30
VISITS = 30
LOOKS = 2
"""How often a day somebody opens the dashboard, and for how long:"""
LOOK_MINUTES = 5
PUSHES_A_LOOK = 10
FILES_A_LOOK = 10
LOOK_GB = 0.3 / 1024

# Of Lambda nothing has been seen. Billed seconds, its own start included since 2025:
WARM_S, COLD_S, CROWDED_S = 0.1, 0.6, 0.15
"""Of a batch in an environment that is there, in a new one, and of ten messages at once."""
CROWD = 10_000
"""From so many homes on ten messages come together within the second that Lambda waits."""
BATCH = 10
INGEST_GB, API_GB = 0.5, 1.0
IDLE_POLLS = 5 * 3 * 60 * 24 * DAYS
"""Lambda asks an empty queue five times at once, for twenty seconds each."""

FIRST_MESSAGES = 1_000_000_000
"""Up to five times as many, each further one is cheaper."""

RETENTION_DAYS = 90
COPIES = 3
"""Of a session: the table and two indexes."""
ITEM_BYTES = 100
"""That DynamoDB adds to each."""
LOG_BYTES = 400
"""Of a line: one a batch, one a request."""
ALARMS = 7

Counts = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is paid for: how many there are in a month with so many homes."""

    name: str
    how: str
    price: str
    many: Callable[[int], float]

    def usd(self, homes: int, prices: Mapping[str, float]) -> float:
        """A month's, at these prices in USD."""
        return self.many(homes) * prices[self.price] + 0.0  # never -0


@dataclass(frozen=True, slots=True)
class Day:
    """A home's day of so many visits."""

    counts: Counts

    def of(self, name: str) -> float:
        """Messages, batches, units: without a visit, and what each visit adds."""
        return self.counts["idleDay"][name] + VISITS * self.counts["visit"][name]

    def how(self, name: str) -> str:
        """The same in words."""
        return f"{self.counts['idleDay'][name]:,.0f} + {VISITS} x {self.counts['visit'][name]:g} a day"


def lines(counts: Counts) -> list[Line]:
    """Everything but alarms and Greengrass."""
    return [*_iot(counts), *_collecting(counts), *_tables(counts), *_people(counts), *_standing(counts)]


def _each(a_home_and_day: float) -> Callable[[int], float]:
    return lambda homes: homes * DAYS * a_home_and_day


def _iot(counts: Counts) -> Iterable[Line]:
    day, settings = Day(counts), counts["settings"]
    gets, connecting = settings["getsADay"], settings["subscriptions"] + 1
    messages = day.of("messages")
    yield Line("IoT: connected", "1,440 minutes a day", "iot_connection_minute", _each(1_440))
    yield Line("IoT: messages of records", day.how("messages"), "iot_message", _each(messages))
    yield Line(
        "IoT: messages about settings",
        f"{gets:g} x (question, answer, receipt) + {connecting:g} a connection, once a day",
        "iot_message",
        _each(3 * gets + connecting),
    )
    all_of_them = _each(messages + 3 * gets + connecting)
    yield Line(
        "IoT: what is cheaper of them",
        f"beyond the first {FIRST_MESSAGES:,}",
        "iot_message_discount",
        lambda homes: max(0, all_of_them(homes) - FIRST_MESSAGES),
    )
    yield Line("IoT: rules and actions", "2 a message of records", "iot_rule_or_action", _each(2 * messages))
    shadows = 24 * settings["kilobytes"]
    yield Line(
        "IoT: shadows", f"24 x {settings['kilobytes']:g} kB a day", "iot_shadow_kilobyte", _each(max(gets, shadows))
    )


def _collecting(counts: Counts) -> Iterable[Line]:
    day = Day(counts)
    messages, batches = day.of("messages"), day.of("batches")

    def invoked(homes: int) -> float:
        return homes * DAYS * (messages / BATCH if homes >= CROWD else batches)

    def asked(homes: int) -> float:
        receives = max(IDLE_POLLS, invoked(homes))
        return homes * DAYS * messages + receives + invoked(homes)

    def seconds(homes: int) -> float:
        return invoked(homes) * (COLD_S if homes == 1 else WARM_S if homes < CROWD else CROWDED_S) * INGEST_GB

    sweeps = 12 * 24 * DAYS
    yield Line("SQS", f"a message in, a batch out; {IDLE_POLLS:,} looks whether there is one", "sqs_request", asked)
    yield Line(
        "Lambda: requests of ingest",
        f"a batch: {day.how('batches')}; {BATCH} messages each from {CROWD:,} homes on",
        "lambda_request",
        invoked,
    )
    yield Line(
        "Lambda: GB-seconds of ingest",
        f"{INGEST_GB:g} GB x {WARM_S:g} s; {COLD_S:g} s with one home; {CROWDED_S:g} s for {BATCH} messages",
        "lambda_gb_second",
        seconds,
    )
    yield Line("Logs", f"{LOG_BYTES} bytes a batch", "log_gb", lambda homes: invoked(homes) * LOG_BYTES / 1e9)
    yield Line("Scheduler", "12 sweeps an hour", "scheduler_run", lambda _: sweeps)
    yield Line(
        "Lambda: GB-seconds of sweeps",
        f"{INGEST_GB:g} GB x {COLD_S:g} s",
        "lambda_gb_second",
        lambda _: sweeps * COLD_S * INGEST_GB,
    )


def _tables(counts: Counts) -> Iterable[Line]:
    day, stored = Day(counts), counts["stored"]
    looks = LOOKS * counts["look"]["readUnits"]
    sweeps = 12 * 24 * DAYS * counts["sweep"]["readUnits"] + DAYS * counts["tokenHealth"]["readUnits"]
    read = day.of("readUnits") + looks
    sessions_gb = RETENTION_DAYS * VISITS * (stored["sessionBytes"] + ITEM_BYTES) / 1e9
    yield Line("DynamoDB: written", day.how("writeUnits"), "dynamodb_write_unit", _each(day.of("writeUnits")))
    yield Line(
        "DynamoDB: read",
        f"{day.how('readUnits')}, {LOOKS} looks, sweeps",
        "dynamodb_read_unit",
        lambda homes: homes * DAYS * read + sweeps,
    )
    yield Line(
        "DynamoDB: kept",
        f"{RETENTION_DAYS * VISITS:,} sessions x {stored['sessionBytes'] + ITEM_BYTES:g} bytes x {COPIES} copies",
        "dynamodb_gb",
        lambda homes: homes * sessions_gb * COPIES,
    )
    yield Line("DynamoDB: backups", "one copy", "dynamodb_backup_gb", lambda homes: homes * sessions_gb)


def _people(counts: Counts) -> Iterable[Line]:
    asked = LOOKS * counts["look"]["apiRequests"]
    yield Line("Cognito", "one person a home (LITE)", "cognito_user", lambda homes: homes)
    yield Line("REST", f"{LOOKS} looks x {counts['look']['apiRequests']:g} a day", "rest_request", _each(asked))
    yield Line(
        "Lambda: GB-seconds of api",
        f"{API_GB:g} GB x {WARM_S:g} s; {COLD_S:g} s with one home",
        "lambda_gb_second",
        lambda homes: homes * DAYS * asked * (COLD_S if homes == 1 else WARM_S) * API_GB,
    )
    yield Line("Live: minutes", f"{LOOKS} x {LOOK_MINUTES} a day", "websocket_minute", _each(LOOKS * LOOK_MINUTES))
    yield Line("Live: messages", f"{LOOKS} x {PUSHES_A_LOOK} a day", "websocket_message", _each(LOOKS * PUSHES_A_LOOK))
    yield Line(
        "Site: requests",
        f"{FILES_A_LOOK} files a look, and the API's",
        "cloudfront_request",
        _each(asked + LOOKS * FILES_A_LOOK),
    )
    yield Line("Site: GB", f"{LOOK_GB * 1024:g} MB a look", "cloudfront_gb", _each(LOOKS * LOOK_GB))


def _standing(_: Counts) -> Iterable[Line]:
    yield Line("Secret", "one a stack", "secret", lambda _: 1)
