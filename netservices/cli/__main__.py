"""``python -m netservices.cli``: the command from a checkout."""

from netservices.cli import main

main(prog_name="netservices")
