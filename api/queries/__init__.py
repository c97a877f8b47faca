"""Reads of the store, shared by the HTTP routes and the CLI: a store and a filter in, response models out."""
