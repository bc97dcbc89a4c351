"""What prompts are made of: facts, words, and generators of texts whose truth is known."""
