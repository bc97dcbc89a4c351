"""TextGenSHAP: fast hierarchical Shapley and Banzhaf values for answers generated from long documents."""

from explicate.attribution.textgenshap.coalitions import Coalitions, Reader
from explicate.attribution.textgenshap.document_tree import DocumentTree
from explicate.attribution.textgenshap.method import TextGenSHAP
from explicate.attribution.textgenshap.prompts import Document, DocumentPrompt
from explicate.attribution.textgenshap.result import HierarchicalAttribution

__all__ = [
    "Coalitions",
    "Document",
    "DocumentPrompt",
    "DocumentTree",
    "HierarchicalAttribution",
    "Reader",
    "TextGenSHAP",
]
