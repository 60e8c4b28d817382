"""The simulator: njit functions on plain arrays, one file per step of a bar (docs/assumptions.md)."""
