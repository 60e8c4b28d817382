"""Where the chunks of a study run: in this process, on workers of this machine, on a cluster."""
