"""Prompts for language models with known structure: made by rule, with the place of every word that matters."""
