"""Class-activation maps: where in the last feature maps of a network the evidence for a class lies."""

from explicate.attribution.cam.base import ClassActivation, FeatureMaps
from explicate.attribution.cam.methods import CAM, GradCAM, GradCAMPlusPlus, SmoothGradCAMPlusPlus

__all__ = ["CAM", "ClassActivation", "FeatureMaps", "GradCAM", "GradCAMPlusPlus", "SmoothGradCAMPlusPlus"]
