"""Entry points that end: the command line and every command, each also `python -m jobs.NAME`."""
