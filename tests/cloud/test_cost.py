"""What the stack costs, in the README, is what the program reckons from what was counted."""

import json
from collections.abc import Mapping

import pytest
from tests.bench import bill, cost
from tests.bench.bill import CROWD, DAYS, IDLE_POLLS, lines
from tests.bench.cost import README, recorded, table, with_table
from tests.cloud.stack import of_type, template

FREE = dict.fromkeys(recorded()[1].usd, 0.0)
NONE = {part: dict.fromkeys(values, 0.0) for part, values in recorded()[0].items()}


def total(counts: Mapping[str, Mapping[str, float]], homes: int = 1, **usd: float) -> float:
    """A month where only this costs anything."""
    return sum(line.usd(homes, FREE | usd) for line in lines(counts))


def having(part: str, **more: float) -> dict[str, dict[str, float]]:
    """Counts of nothing but this."""
    return NONE | {part: NONE[part] | more}


def test_the_readme_s_table_is_the_program_s() -> None:
    """Whoever changes counts, prices or the arithmetic writes the table anew: python -m tests.bench.cost --write."""
    text = README.read_text()
    assert table(*recorded()) in text
    assert with_table(text, table(*recorded())) == text


@pytest.mark.parametrize(
    "counts, homes, usd, expected",
    [
        (NONE, 1, {"iot_connection_minute": 1.0}, 1_440 * DAYS),
        (having("idleDay", messages=10), 1, {"iot_message": 1.0}, (10 + 1) * DAYS),
        (having("visit", messages=2), 3, {"iot_rule_or_action": 1.0}, 2 * 2 * 30 * DAYS * 3),
        (having("settings", getsADay=96), 1, {"iot_message": 1.0}, (3 * 96 + 1) * DAYS),
        (having("settings", kilobytes=5), 1, {"iot_shadow_kilobyte": 1.0}, 5 * 24 * DAYS),
        (having("visit", writeUnits=7), 2, {"dynamodb_write_unit": 1.0}, 7 * 30 * DAYS * 2),
        (having("sweep", readUnits=4), 5, {"dynamodb_read_unit": 1.0}, 4 * 288 * DAYS),
        (having("idleDay", batches=3), 2, {"lambda_request": 1.0}, 3 * DAYS * 2),
        (having("idleDay", messages=20, batches=9), CROWD, {"lambda_request": 1.0}, 2 * DAYS * CROWD),
        (having("idleDay", messages=1), 1, {"sqs_request": 1.0}, DAYS + IDLE_POLLS),
        (NONE, 1_000, {"secret": 0.4}, 0.4),
        (NONE, 1_000, {"cognito_user": 0.5}, 500),
        (NONE, 1_000, {"alarm": 1.0, "greengrass_core": 1.0}, 0),
    ],
)
def test_each_thing_is_counted_as_aws_charges_it(
    counts: Mapping[str, Mapping[str, float]], homes: int, usd: Mapping[str, float], expected: float
) -> None:
    """A home's day times thirty, or the same whatever the number of homes; alarms and Greengrass stand beside."""
    assert total(counts, homes, **usd) == pytest.approx(expected)


def test_a_single_home_costs_less_than_a_dollar_without_alarms() -> None:
    """The issue's goal."""
    counts, prices = recorded()
    assert sum(line.usd(1, prices.usd) for line in lines(counts)) < 1.00


def test_every_price_is_used_and_dated_or_said_not_to_be() -> None:
    """None is left over, and each says from which day it is quoted, or that it is not known."""
    counts, prices = recorded()
    told = json.loads((cost.FOLDER / "prices.json").read_text())
    assert {line.price for line in lines(counts)} | {"alarm", "greengrass_core"} == set(prices.usd)
    assert all("quoted" in one and one["page"] for one in told["usd"].values())
    assert f"as of {prices.taken}" in README.read_text()


def test_what_is_assumed_of_the_stack_is_so() -> None:
    """As many alarms, sweeps and copies of a session, and as long a retention, as the template has."""
    stack = template()
    assert len(of_type(stack, "CloudWatch::Alarm")) == bill.ALARMS
    assert stack["Parameters"]["SweepMinutes"]["Default"] == 5
    assert int(stack["Mappings"]["ByStage"]["prod"]["TtlDays"]) == bill.RETENTION_DAYS
    indexes = of_type(stack, "DynamoDB::Table")["SessionsTable"]["GlobalSecondaryIndexes"]
    assert 1 + sum(one["Projection"]["ProjectionType"] == "ALL" for one in indexes) == bill.COPIES
    memory_mb = {name: one.get("MemorySize") for name, one in of_type(stack, "Serverless::Function").items()}
    assert memory_mb["ApiFunction"] == bill.API_GB * 1024
    assert (memory_mb["IngestFunction"] or stack["Globals"]["Function"]["MemorySize"]) == bill.INGEST_GB * 1024
