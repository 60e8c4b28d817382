"""Research: many runs of one strategy as a plan of chunks that any executor can work through, each run counted once."""
