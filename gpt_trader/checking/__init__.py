"""The proof that a strategy does not look ahead: other futures, runs in processes of their own, and what the runs decided."""
