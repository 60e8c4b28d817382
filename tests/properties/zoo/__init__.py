"""The zoo of the look-ahead check: leaks to be found, honest strategies to be left alone, and what no check can find.

Written from the user's documents and from what users of other backtesters get wrong, without a look at the check itself.
The tables are `LEAKS`, `HONEST` and `UNDETECTABLE`; `markets.market(name)` has the bars on which each of them acts.
"""

from __future__ import annotations

from tests.properties.zoo import (  # noqa: F401 - importing them fills the tables
    at_import,
    decisions,
    features_ends,
    features_habits,
    features_models,
    features_shift,
    features_time,
    files,
    held,
    hidden,
    honest_data,
    honest_indicators,
    honest_models,
    honest_rules,
    inspection,
    orders,
    rare,
    state,
    undetectable,
)
from tests.properties.zoo.table import HONEST, LEAKS, UNDETECTABLE, Honest, Leak

__all__ = ["HONEST", "LEAKS", "UNDETECTABLE", "Honest", "Leak"]
