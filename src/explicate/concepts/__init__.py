"""Concepts: what a model's activations are made of, in directions that can be named, checked and edited."""

from explicate.concepts.residue_features import ResidueFeatures, residue_features
from explicate.concepts.sparse_autoencoder import SparseAutoencoder, SparseAutoencoders

__all__ = ["ResidueFeatures", "SparseAutoencoder", "SparseAutoencoders", "residue_features"]
