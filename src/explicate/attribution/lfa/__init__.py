"""Local function approximation: eight explainers as one fit, a choice among them, and what none of them can do."""

from explicate.attribution.lfa.framework import LocalFit, LocalFunctionApproximation
from explicate.attribution.lfa.losses import ChangeSquaredError, GradientMatching, Loss, SquaredError
from explicate.attribution.lfa.methods import (
    FACTORIES,
    c_lime,
    gradient_x_input,
    integrated_gradients,
    kernel_shap,
    lime,
    occlusion,
    smooth_grad,
    vanilla_gradient,
)
from explicate.attribution.lfa.neighborhoods import (
    BernoulliMasks,
    GaussianNoise,
    Neighborhood,
    OneHotMasks,
    Perturbed,
    UniformScaling,
)
from explicate.attribution.lfa.surrogates import (
    Convolution,
    FittedSurrogate,
    Linear,
    LinearWithoutBias,
    Logistic,
    Surrogate,
)
from explicate.attribution.lfa.theory import (
    LossValidity,
    NoFreeLunch,
    Recommendation,
    model_recovery,
    no_free_lunch,
    recommend,
    validate_loss,
)
