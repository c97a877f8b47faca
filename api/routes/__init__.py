"""The HTTP routes, one file per area. `def` routes run in worker threads: they speak to the database."""
