"""Records a second through ingest in one process, beside as many bare writes of such items by as many threads."""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench.cloud_counts import event_loop
from tests.bench.figures import Figure
from tests.cloud.ingesting import PLENTY_MS, ingest_of, message, session
from tests.cloud.world import ADA, HOME, world_of

from spotty_cloud.ingest.keeping import AT_ONCE
from spotty_sandbox.aws import LocalAws

RECORDS = 2_000
BATCH = 100
"""Messages that the template lets Lambda hand over at once."""


def ingest() -> list[Figure]:
    """Each record is a session of its own, in a message of its own; batches of both ways are interleaved."""
    with tempfile.TemporaryDirectory() as folder, LocalAws(Path(folder)) as aws, event_loop():
        world = world_of(aws, "bench")
        world.put_gateway(HOME, ADA)
        home = ingest_of(aws, world, "bench")
        records = [session(number, 1, ends_by="timeout") for number in range(1, RECORDS + 1)]
        table = world.names["SESSIONS_TABLE"]
        kept_s = bare_s = 0.0
        for number, some in enumerate(_batches(records)):
            texts = {f"m{number}-{place}": message(one) for place, one in enumerate(some)}
            began = time.perf_counter()
            again = home.collector.collect(texts, lambda: PLENTY_MS)
            kept_s += time.perf_counter() - began
            if again:
                raise RuntimeError(f"{len(again)} messages were not kept")
            items = [_bare(one.to_json(), f"bare-{number}-{place}") for place, one in enumerate(some)]
            began = time.perf_counter()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda item: world.dynamo.put_item(TableName=table, Item=item), items))
            bare_s += time.perf_counter() - began
    name = f"one of {RECORDS:,} records ingested ({RECORDS / kept_s:,.0f} a second)"
    return [Figure(name, kept_s / RECORDS * 1e3, bare_s / RECORDS * 1e3, "ms")]


def _bare(text: str, name: str) -> dict[str, Any]:
    """An item with as much in it, and in the same indexes."""
    found = json.loads(text)
    kept = {"sessionId": {"S": name}, "record": {"S": text}, "userId": {"S": ADA}, "sensorId": {"S": f"{HOME}.bath"}}
    return {**kept, "startTime": {"N": str(found["startTime"])}}


def _batches(records: Sequence[Any]) -> Iterator[list[Any]]:
    left = iter(records)
    while some := list(islice(left, BATCH)):
        yield some
