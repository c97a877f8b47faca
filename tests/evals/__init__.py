"""Evals: labelled sets that measure what a check lets through and what it stops."""
