"""The report of one case: who, what, when, why, on what evidence, and what would have changed it."""
