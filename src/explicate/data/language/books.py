"""Sixty books that everybody has heard of, and sixty titles in their manner that no book is known to have."""

from __future__ import annotations

import csv
import functools
from importlib.resources import files

INVENTED = (
    "Patience and Persuasion of Hollow Hill", "Clarissa Thornbury", "Great Disappointments of Harrow Street",
    "Nicholas Penwhistle", "A Chronicle of Three Harbours", "Edmund Marlbrook", "The Grey Leviathan of Nantasket",
    "Frost and Harvest", "Irina Vasilkova", "Guilt and Clemency", "The Cousins Morozov", "The Splendid Hatherley",
    "Twenty-Two Sixty-One", "Orchard Parliament", "Timid Old World", "To Cage a Nightjar", "The Sweeper in the Barley",
    "The Keeper of the Lanterns", "The Burrowling", "Tobias Finch and the Alchemist's Ladder", "Korvenstein",
    "Vladomir the Pale", "The Mirror of Julian Ashgrove", "Agnes Thornfield Lowe", "Whistling Crags",
    "Beatrice's Journeys in Lookingwood", "Pelican Island Gold", "Jonathan Carrow of the Reef",
    "Pemberton's Passages to Small Countries", "Don Alvaro de Mirasol", "The Infernal Ladder", "Les Oubliés de Rouval",
    "Madame Lavergne",
    "The Marquis of Castelrosso", "The Four Halberdiers", "The Onlooker at Oran", "The Drought Fever",
    "The Small Duke of the Moon", "The Moulting", "The Summons of Josef M", "Ninety Winters of Silence",
    "The Young Woman and the River", "A Greeting to Swords", "The Raisins of Mercy", "Of Larks and Labourers",
    "The Wanderings of Jeremiah Sawtooth", "The Crimson Ledger", "Little Aunts", "Aldric Prince of Jutland",
    "The Thane of Corrievale", "Lorenzo and Isabetta", "Eden Mislaid", "The Descent of Orchids",
    "The Poverty of Empires",
    "The Chamberlain", "The Commonwealth of Kallias", "King of the Wasps", "Celsius 233 and Ash",
    "Core of Dusk", "The Hour Engine",
)  # fmt: skip


@functools.cache
def famous_books() -> dict[str, str]:
    """The author of each famous book, by its title."""
    text = files("explicate.data.language").joinpath("books.csv").read_text(encoding="utf-8")
    return {row["title"]: row["author"] for row in csv.DictReader(text.splitlines())}
