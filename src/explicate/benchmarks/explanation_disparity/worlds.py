"""Worlds in which explanations may be worse for one group, each with one cause and a dial for its strength.

All four share the causal graph M -> L, C -> L, (M, C, L) -> Y: M is the sensitive column, C ~ N(0, 1) a confounder, L a
covariate in between. Y is 1 with probability 0.9 where x >= 0 and 0.1 elsewhere. Source: Mhasawade et al. (2024),
arXiv 2401.14539, section 3 and the generators published with it.

One random stream gives the same underlying draws at every strength, so that trials can be compared in pairs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explicate.core.capabilities import Array
from explicate.core.features import Feature
from explicate.core.method import Parameterised
from explicate.errors import InputError

C, L = Feature("C"), Feature("L")
M = Feature("M", "categorical", ("0", "1"))
PRODUCT = Feature("L*M")


@dataclass(frozen=True, eq=False)
class Split:
    """What a model is trained on and what is explained; the label is never among the features.

    Attributes
    ----------
    train_inputs, test_inputs : (sample, feature), encoded. train_labels, test_labels : (sample,), 0 and 1.
    train_sensitive, test_sensitive : (sample,), groups as text, whether or not the model sees them.
    features : what the columns are.
    reference : rows whose spread sets a fixed radius: the columns as they are without a shift.
    notes : caveats, one sentence each.
    """

    train_inputs: Array
    train_labels: Array
    train_sensitive: Array
    test_inputs: Array
    test_labels: Array
    test_sensitive: Array
    features: tuple[Feature, ...]
    reference: Array
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class World(Parameterised, ABC):
    """Base of the generators.

    Class attributes
    ----------------
    objective : name of the cause that is studied. strengths : the paper's grid. no_shift : the strength without effect.
    setups : 1: the model sees the sensitive column; 2: it does not. k : features compared with the ground truth.
    """

    objective: ClassVar[str]
    strengths: ClassVar[tuple[float, ...]]
    no_shift: ClassVar[float]
    setups: ClassVar[tuple[int, ...]] = (1, 2)
    k: ClassVar[int] = 2

    @property
    def label(self) -> str:
        """How tables call it."""
        return self.objective

    def grid(self) -> tuple[float, ...]:
        """The strengths to study, `start()` among them."""
        return self.strengths

    def start(self) -> float:
        """The strength without effect."""
        return self.no_shift

    @abstractmethod
    def sample(self, strength: float, setup: int, rng: np.random.Generator) -> Split:
        """Fresh data.

        Raises
        ------
        InputError : a strength outside the world's domain, an unknown setup, or a group that has vanished.
        """

    def check_setup(self, setup: int) -> None:
        """Refuse a setup that is neither 1 nor 2."""
        if setup not in (1, 2):
            raise InputError(
                f"{self.label}: setup is {setup!r}; 1 gives the model the sensitive column, 2 withholds it"
            )


@dataclass(frozen=True)
class SampleSizeDGP(World):
    """Few training rows of one group: the strength is the share of M = 0 in training.

    L = 0.7 M + 0.3 C + N(0, 0.5^2), x = 0.5 C - 1.5 L + 0.5. The test rows have equally many of both groups.

    Parameters
    ----------
    train, test : numbers of rows.
    """

    train: int = 7000
    test: int = 20_000
    objective: ClassVar[str] = "sample-size"
    strengths: ClassVar[tuple[float, ...]] = (0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05)
    no_shift: ClassVar[float] = 0.5

    def sample(self, strength: float, setup: int, rng: np.random.Generator) -> Split:
        self.check_setup(setup)
        if not 0 < strength < 1:
            raise InputError(f"{self.label}: the share of M = 0 is {strength}; it must lie between 0 and 1")
        parts = []
        for count, share in ((self.train, strength), (self.test, 0.5)):
            m = (np.arange(count) >= int(np.floor(share * count))).astype(float)
            if m.all() or not m.any():
                raise InputError(f"{self.label}: a share of {strength} leaves a group empty in {count} rows")
            c, ell, uniform = _covariates(m, 0.7, 0.5, rng)
            parts.append((m, c, ell, _labels(0.5 * c - 1.5 * ell + 0.5, uniform)))
        return _split(parts[0], parts[1], setup)


@dataclass(frozen=True)
class CovariateShiftDGP(World):
    """Training lacks the rows with M = 0 and L below the strength; the test rows are complete.

    Otherwise as `SampleSizeDGP`, with M ~ Bernoulli(0.5).
    """

    train: int = 7000
    test: int = 20_000
    objective: ClassVar[str] = "covariate-shift"
    strengths: ClassVar[tuple[float, ...]] = (-5.0, -1.35, -0.4, 0.5, 0.9, 1.35, 1.75)
    no_shift: ClassVar[float] = -5.0

    def sample(self, strength: float, setup: int, rng: np.random.Generator) -> Split:
        self.check_setup(setup)
        if not np.isfinite(strength):
            raise InputError(f"{self.label}: the threshold on L is {strength}; give a finite number")
        parts = []
        for count in (self.train, self.test):
            m = (rng.random(count) < 0.5).astype(float)
            c, ell, uniform = _covariates(m, 0.7, 0.5, rng)
            parts.append((m, c, ell, _labels(0.5 * c - 1.5 * ell + 0.5, uniform)))
        m, _, ell, _ = parts[0]
        kept = (m == 1) | (ell >= strength)
        left = int((m[kept] == 0).sum())
        if left == 0:
            raise InputError(
                f"{self.label}: no training row with M = 0 has L >= {strength}: 0 of {int((m == 0).sum())} remain; "
                "take a lower threshold or more rows"
            )
        train = tuple(column[kept] for column in parts[0])
        return _split(
            train,  # type: ignore[arg-type]
            parts[1],
            setup,
            notes=(f"{left} training rows with M = 0 remain",) if left < 100 else (),
        )


@dataclass(frozen=True)
class ConceptShiftDGP(World):
    """The label follows another rule in the group M = 0: the strength is beta, and 1.5 is no shift.

    L = 0.7 M + 0.3 C + N(0, 0.1^2), x = 0.5 C + 1.5 M L + beta (1 - M) L - L - 0.2. With the sensitive column the model
    is also given L * M, which makes a linear one right in form.

    Parameters
    ----------
    rows : training and test rows together; 70 % are for training.
    """

    rows: int = 20_000
    objective: ClassVar[str] = "concept-shift"
    strengths: ClassVar[tuple[float, ...]] = (1.5, 0.5, -0.5, -0.7, 2.7, -2.7)
    no_shift: ClassVar[float] = 1.5

    def sample(self, strength: float, setup: int, rng: np.random.Generator) -> Split:
        self.check_setup(setup)
        if not np.isfinite(strength):
            raise InputError(f"{self.label}: beta is {strength}; give a finite number")
        m = (rng.random(self.rows) < 0.5).astype(float)
        c, ell, uniform = _covariates(m, 0.7, 0.1, rng)
        x = 0.5 * c + 1.5 * m * ell + strength * (1 - m) * ell - ell - 0.2
        train, test = _seventy_thirty((m, c, ell, _labels(x, uniform)))
        note = "the surrogate's neighbours change L * M apart from L and M: no real row looks like that"
        return _split(train, test, setup, product=setup == 1, notes=(note,) if setup == 1 else ())


@dataclass(frozen=True)
class OmittedVariableDGP(World):
    """The model is not told C, on which the label depends: the strength is alpha, and 0 is no dependence.

    L = 0.3 M + 0.3 C + N(0, 0.5^2), x = alpha C + L - 0.2.

    Parameters
    ----------
    rows : training and test rows together; 70 % are for training.
    withhold : False is the control, in which the model sees C.
    """

    rows: int = 10_000
    withhold: bool = True
    objective: ClassVar[str] = "omitted-variable"
    strengths: ClassVar[tuple[float, ...]] = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
    no_shift: ClassVar[float] = 0.0

    @property
    def label(self) -> str:
        return self.objective if self.withhold else f"{self.objective}-control"

    def sample(self, strength: float, setup: int, rng: np.random.Generator) -> Split:
        self.check_setup(setup)
        if not (np.isfinite(strength) and strength >= 0):
            raise InputError(f"{self.label}: alpha is {strength}; give a finite number of at least 0")
        m = (rng.random(self.rows) < 0.5).astype(float)
        c, ell, uniform = _covariates(m, 0.3, 0.5, rng)
        train, test = _seventy_thirty((m, c, ell, _labels(strength * c + ell - 0.2, uniform)))
        return _split(train, test, setup, confounder=not self.withhold)


Rows = tuple[Array, Array, Array, Array]
"""M, C, L and the label of each row."""


def _covariates(m: Array, slope: float, noise: float, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """C, L and the uniform draw that decides each label."""
    c = rng.standard_normal(len(m))
    return c, slope * m + 0.3 * c + noise * rng.standard_normal(len(m)), rng.random(len(m))


def _labels(x: Array, uniform: Array) -> Array:
    return (uniform < np.where(x < 0, 0.1, 0.9)).astype(np.int64)


def _seventy_thirty(rows: Rows) -> tuple[Rows, Rows]:
    """The rows come in random order already."""
    cut = int(0.7 * len(rows[0]))
    return tuple(part[:cut] for part in rows), tuple(part[cut:] for part in rows)  # type: ignore[return-value]


def _split(
    train: Rows,
    test: Rows,
    setup: int,
    *,
    product: bool = False,
    confounder: bool = True,
    notes: tuple[str, ...] = (),
) -> Split:
    features = ((C,) if confounder else ()) + (L,) + ((M,) if setup == 1 else ()) + ((PRODUCT,) if product else ())

    def columns(rows: Rows) -> Array:
        m, c, ell, _ = rows
        values = {"C": c, "L": ell, "M": m, "L*M": ell * m}
        return np.column_stack([values[feature.name] for feature in features])

    test_inputs = columns(test)
    return Split(
        train_inputs=columns(train),
        train_labels=train[3],
        train_sensitive=train[0].astype(int).astype(str),
        test_inputs=test_inputs,
        test_labels=test[3],
        test_sensitive=test[0].astype(int).astype(str),
        features=features,
        reference=test_inputs,
        notes=notes,
    )
