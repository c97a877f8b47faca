"""The `quarterdeck` command line. Modules import what they need inside the commands: `--help` must be instant."""
