"""Products of two thin matrices that are never multiplied out: their norms, products and singular vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Floats


@dataclass(frozen=True, eq=False)
class Components:
    """A thin singular value decomposition, sum over i of s_i u_i v_i: row vectors are read along u, written along v.

    Attributes
    ----------
    read : u, (component, width). size : s, (component,), falling. write : v, (component, width).
    """

    read: Floats
    size: Floats
    write: Floats


@dataclass(frozen=True, eq=False)
class LowRank:
    """The matrix `left` (width, rank) times `right` (rank, width), for rows that are multiplied from the left."""

    left: Floats
    right: Floats

    @property
    def T(self) -> LowRank:
        """The transpose."""
        return LowRank(self.right.T, self.left.T)

    def __call__(self, rows: Floats) -> Floats:
        """Rows (..., width) times the matrix."""
        found: Floats = (rows @ self.left) @ self.right
        return found

    def __matmul__(self, other: LowRank) -> LowRank:
        """The product with another, of this one's rank."""
        return LowRank(self.left, (self.right @ other.left) @ other.right)

    @property
    def norm(self) -> float:
        """The Frobenius norm, from the factors' Gram matrices."""
        square = np.sum((self.left.T @ self.left) * (self.right @ self.right.T))
        return float(np.sqrt(max(0.0, float(square))))

    def components(self) -> Components:
        """Singular vectors, through QR of both factors: O(width rank^2)."""
        left, inner = np.linalg.qr(self.left)
        right, other = np.linalg.qr(self.right.T)
        u, size, v = np.linalg.svd(inner @ other.T)
        return Components((left @ u).T, size, v @ right.T)


def root(gram: Floats) -> Floats:
    """The symmetric square root of Gram matrices (..., rank, rank)."""
    values, vectors = np.linalg.eigh(gram)
    scaled = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    return np.asarray(scaled @ np.swapaxes(vectors, -1, -2))
