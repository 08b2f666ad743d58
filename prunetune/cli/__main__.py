"""`python -m prunetune.cli`: the same as the command `prunetune`."""

from prunetune.cli.app import main

main()
