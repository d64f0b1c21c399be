"""`python -m coiled_pulumi` is the command line."""

from coiled_pulumi.cli.app import main

main()
