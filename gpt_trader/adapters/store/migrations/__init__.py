"""The revisions of the store's schema, oldest first; a store that is at none of them was made by newer code."""

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
HEAD = REVISIONS[-1]
