"""List prices of what a network costs, so that a plan can show them."""

from __future__ import annotations

from dataclasses import dataclass

from coiled_pulumi.catalog import files

#: A month as AWS's own calculator counts it.
HOURS_PER_MONTH = 730


@dataclass(frozen=True, slots=True)
class Price:
    """A list price, before taxes, discounts and free tiers.

    Attributes:
        key: ours, as nat_gateway.
        name: what is paid for.
        usd: US dollars for one unit.
        unit: `hour`, `GB` or `GB-month`.
        region: where it holds; other regions cost more or less.
        url: where it stands.
        date: the day on which it was looked up.

    """

    key: str
    name: str
    usd: float
    unit: str
    region: str
    url: str
    date: str

    def monthly(self, hours: float = HOURS_PER_MONTH) -> float:
        """Give what it costs to have one for a month, in US dollars.

        Raises:
            ValueError: it is not paid by the hour.

        """
        if self.unit != "hour":
            msg = f"{self.key} is paid by the {self.unit}, not by the hour"
            raise ValueError(msg)
        return self.usd * hours


@files.cached
def prices() -> dict[str, Price]:
    """Every price that the catalog knows, by key."""
    found = files.document("prices")
    return {
        key: Price(
            key, row["name"], float(row["usd"]), row["unit"], found["region"], row["url"], found["date"]
        )
        for key, row in found["prices"].items()
    }


def price(key: str) -> Price | None:
    """Give a price by its key, or None for one that the catalog does not know."""
    return prices().get(key)
