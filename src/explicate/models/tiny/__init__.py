"""Small models that are trained from scratch in seconds."""
