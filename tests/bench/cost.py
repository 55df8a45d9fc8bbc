"""What the stack costs a month: what bench has counted (counts.json), times AWS's list prices (prices.json).

python -m tests.bench.cost             prints the table
python -m tests.bench.cost --write     puts it into cloud/README.md
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.bill import ALARMS, Counts, lines

FOLDER = Path(__file__).parent
README = FOLDER.parents[1] / "cloud" / "README.md"
HEAD = "| a month in USD"
HOMES: Final = (1, 100, 100_000)


@dataclass(frozen=True, slots=True)
class Prices:
    """AWS's list prices of one region, without any free tier, by what is paid for."""

    region: str
    taken: str
    usd: Mapping[str, float]

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Prices":
        """From JSON."""
        return cls(
            told["region"], told["taken"], {name: one["price"] / one["per"] for name, one in told["usd"].items()}
        )


def table(counts: Counts, prices: Prices) -> str:
    """Markdown."""
    found = lines(counts)
    totals = [sum(line.usd(homes, prices.usd) for line in found) for homes in HOMES]
    heads = [f"{homes:,} homes" if homes > 1 else "1 home" for homes in HOMES]
    rows = [
        f"{HEAD}, {prices.region} | how many | list price | {' | '.join(heads)} |",
        f"|---|---|---|{'--:|' * len(HOMES)}",
        *(
            f"| {line.name} | {line.how} | {_price(prices.usd[line.price])} | "
            f"{' | '.join(_usd(line.usd(homes, prices.usd)) for homes in HOMES)} |"
            for line in found
        ),
        f"| **all** | | | {' | '.join(f'**{_usd(total)}**' for total in totals)} |",
        "| **a home** | | | "
        + " | ".join(f"**{total / homes:.3f}**" for total, homes in zip(totals, HOMES, strict=True))
        + " |",
        _beside(f"beside it: {ALARMS} alarms", "alarm", lambda _: ALARMS, prices),
        _beside("beside it: Greengrass's own fee", "greengrass_core", lambda homes: homes, prices),
    ]
    return "\n".join(rows)


def _beside(name: str, price: str, many: Callable[[int], float], prices: Prices) -> str:
    usd = " | ".join(_usd(many(homes) * prices.usd[price]) for homes in HOMES)
    return f"| {name} | | {_price(prices.usd[price])} | {usd} |"


def _price(usd: float) -> str:
    return f"{usd:g}" if usd >= 0.001 else f"{usd * 1e6:g} a million"


def _usd(usd: float) -> str:
    return f"{usd:,.0f}" if usd >= 100 else f"{usd:.3f}"


def recorded() -> tuple[Counts, Prices]:
    """What lies beside this program."""
    counts: Counts = json.loads((FOLDER / "counts.json").read_text())["counts"]
    return counts, Prices.read(json.loads((FOLDER / "prices.json").read_text()))


def with_table(text: str, made: str) -> str:
    """The README with this table in place of the one in it."""
    before, rest = text.split(HEAD, 1)
    return before + made + rest[rest.index("\n\n") :]


def main() -> None:
    """Print it, or put it where it stands."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cost", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put it into cloud/README.md")
    made = table(*recorded())
    if parser.parse_args().write:
        README.write_text(with_table(README.read_text(), made))
    else:
        print(made)


if __name__ == "__main__":
    main()
