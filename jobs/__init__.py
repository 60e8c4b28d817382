"""Entry points that end: the command line and every command, each also `python -m jobs.NAME`."""

INTERRUPTED = 130  # the exit code of whatever Ctrl-C ended
