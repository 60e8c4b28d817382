"""A trading session's rules without Ray, clock or files: its journal, the identity of its orders."""
