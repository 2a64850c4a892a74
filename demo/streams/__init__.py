"""The hands for other programs: poses by the conventions that they expect, and the protocols that they speak."""
