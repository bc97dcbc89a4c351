"""Adult with every column a category of few readable values, and as many people above 50,000 dollars as below.

Source: the preparation of Hase and Bansal (2020), arXiv 2005.01831, for tests in which people read the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.features import features_of
from explicate.core.registry import register
from explicate.data.ranges import in_ranges, quartiles
from explicate.data.table import Table
from explicate.data.tables import Part, adult
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

EDUCATION = {
    "No high school diploma": ("Preschool", "1st-4th", "5th-6th", "7th-8th", "9th", "10th", "11th", "12th"),
    "High school": ("HS-grad",),
    "Some college": ("Some-college",),
    "Associate degree": ("Assoc-acdm", "Assoc-voc"),
    "Bachelor's degree": ("Bachelors",),
    "Master's degree": ("Masters",),
    "Doctorate or professional degree": ("Doctorate", "Prof-school"),
}
MARITAL_STATUS = {
    "Married": ("Married-civ-spouse", "Married-AF-spouse"),
    "Never married": ("Never-married",),
    "Separated": ("Married-spouse-absent", "Separated"),
    "Divorced": ("Divorced",),
    "Widowed": ("Widowed",),
}
OCCUPATION = {
    "Administrative": ("Adm-clerical",),
    "Blue collar": ("Craft-repair", "Farming-fishing", "Handlers-cleaners", "Machine-op-inspct", "Transport-moving"),
    "Manager": ("Exec-managerial",),
    "Professional": ("Prof-specialty",),
    "Sales": ("Sales",),
    "Service": ("Other-service", "Priv-house-serv", "Protective-serv", "Armed-Forces"),
    "Technical": ("Tech-support",),
    "Unknown": ("unknown",),
}
WORK = {
    "Government": ("Federal-gov", "Local-gov", "State-gov"),
    "Private": ("Private",),
    "Self-employed": ("Self-emp-inc", "Self-emp-not-inc"),
    "None or unknown": ("Never-worked", "Without-pay", "unknown"),
}
RELATIONSHIP: dict[str, tuple[str, ...]] = {
    "Husband": ("Husband",),
    "Wife": ("Wife",),
    "Own child": ("Own-child",),
    "Not in family": ("Not-in-family",),
    "Other relative": ("Other-relative",),
    "Unmarried": ("Unmarried",),
}
RACE: dict[str, tuple[str, ...]] = {
    "White": ("White",),
    "Black": ("Black",),
    "Asian or Pacific": ("Asian-Pac-Islander",),
    "Native American": ("Amer-Indian-Eskimo",),
    "Other": ("Other",),
}
COUNTRIES = {
    "United States": ("United-States", "Outlying-US(Guam-USVI-etc)"),
    "Latin America": (
        "Columbia", "Cuba", "Dominican-Republic", "Ecuador", "El-Salvador", "Guatemala", "Haiti", "Honduras", "Jamaica",
        "Mexico", "Nicaragua", "Peru", "Puerto-Rico", "Trinadad&Tobago",
    ),
    "Europe or Canada": (
        "Canada", "England", "France", "Germany", "Greece", "Holand-Netherlands", "Hungary", "Ireland", "Italy",
        "Poland", "Portugal", "Scotland", "Yugoslavia",
    ),
    "Asia": (
        "Cambodia", "China", "Hong", "India", "Iran", "Japan", "Laos", "Philippines", "Taiwan", "Thailand", "Vietnam",
    ),
    "Unknown": ("South", "unknown"),
}  # fmt: skip
GROUPED: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "Work class": ("workclass", WORK),
    "Education": ("education", EDUCATION),
    "Marital status": ("marital-status", MARITAL_STATUS),
    "Occupation": ("occupation", OCCUPATION),
    "Relationship": ("relationship", RELATIONSHIP),
    "Race": ("race", RACE),
    "Sex": ("sex", {"Female": ("Female",), "Male": ("Male",)}),
    "Country": ("native-country", COUNTRIES),
}
ORDER = (
    "Age", "Work class", "Education", "Marital status", "Occupation", "Relationship", "Race", "Sex", "Capital gain",
    "Capital loss", "Hours per week", "Country",
)  # fmt: skip
MONEY = ("None", "Low", "High")
CLASSES = ("below $50K", "above $50K")


@dataclass(frozen=True)
class Cuts:
    """Where numbers are cut: quartiles of age and hours, medians of the positive gains and losses."""

    age: tuple[float, ...]
    hours: tuple[float, ...]
    gain: float
    loss: float

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Cuts:
        """The cuts of some rows of Adult; equal quartiles are one."""
        age, hours = (quartiles(frame[name]) for name in ("age", "hours-per-week"))
        gain, loss = (float(np.median(frame[name][frame[name] > 0])) for name in ("capital-gain", "capital-loss"))
        return cls(age, hours, gain, loss)


@register("categorical-adult", "data")
def categorical_adult(part: Part = "train", seed: int = 0) -> Table:
    """Adult as 12 categorical columns, class-balanced by leaving out people below 50,000 dollars at random.

    Age and hours are cut at their quartiles, capital gain and loss into none, low (up to the median of what is
    positive) and high; other columns are grouped. All cuts come from the publishers' training part. 15,682 rows of it
    are left, and 7,692 of the test part.

    Parameters
    ----------
    part : "train", "test" or "all". seed : of the people left out.
    """
    whole = adult(part)
    frame = categories(whole.frame, Cuts.of(adult("train").frame))
    rows = generator(seed, "balance").permutation(len(whole))
    few = int(np.bincount(whole.labels).min())
    kept = np.sort(np.concatenate([rows[whole.labels[rows] == label][:few] for label in (0, 1)]))
    return Table(
        name="categorical-adult",
        frame=frame.iloc[kept].reset_index(drop=True),
        labels=whole.labels[kept],
        task="classification",
        class_names=CLASSES,
        features=features_of(frame, immutable=("Age", "Race", "Sex", "Country")),
        sensitive=("Sex", "Race"),
        source=whole.source,
        licence=whole.licence,
        description=f"{whole.description} Columns are grouped into few categories; both labels are equally frequent.",
    )


def categories(frame: pd.DataFrame, cuts: Cuts) -> pd.DataFrame:
    """Rows of Adult as readable categories."""
    import pandas as pd

    columns: dict[str, Any] = {
        "Age": in_ranges(frame["age"], cuts.age),
        "Hours per week": in_ranges(frame["hours-per-week"], cuts.hours),
        "Capital gain": _money(frame["capital-gain"], cuts.gain),
        "Capital loss": _money(frame["capital-loss"], cuts.loss),
    }
    for name, (source, groups) in GROUPED.items():
        names = {value: group for group, values in groups.items() for value in values}
        columns[name] = pd.Categorical(frame[source].astype(str).map(names), categories=list(groups))
    return pd.DataFrame({name: columns[name] for name in ORDER})


def _money(column: pd.Series, median: float) -> pd.Categorical:
    import pandas as pd

    values = column.to_numpy()
    return pd.Categorical.from_codes((values > 0).astype(int) + (values > median), categories=list(MONEY))
