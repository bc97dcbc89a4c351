"""The table of countries."""

from explicate.data.language.countries import countries


def test_facts_that_everybody_knows():
    found = {country.name: country for country in countries()}
    assert len(found) == len(countries()) == 196
    assert [found[name].capital for name in ("France", "Japan", "Kenya", "Peru")] == [
        "Paris",
        "Tokyo",
        "Nairobi",
        "Lima",
    ]
    assert found["Sweden"].language == "Swedish"
    assert found["Denmark"].currency == "Krone"
    assert found["Chile"].continent == "South America"


def test_every_field_of_every_country_is_filled():
    for country in countries():
        assert all((country.name, country.capital, country.continent, country.currency, country.language))
        assert country.population > 0
        assert country.capital_population > 0
    assert len({country.capital for country in countries()}) == 196
