"""The numba types that all indicator kernels share.

Inputs are declared read-only: numba then takes writable and read-only arrays through the one compiled
version, where undeclared kernels would be compiled twice (arrays that come from Ray's object store or from
the memo are read-only).
"""

from __future__ import annotations

from numba import types

ROWS = types.Array(types.float64, 2, "C", readonly=True)
FLAT = types.Array(types.float64, 1, "C", readonly=True)
COUNTS = types.Array(types.int64, 1, "C", readonly=True)
RESULT = types.float64[:, ::1]
RESULTS = types.float64[:, :, ::1]
WHOLE = types.int64
REAL = types.float64
