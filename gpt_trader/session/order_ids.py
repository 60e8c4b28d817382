"""The identity of an order: the decision that it stands for, and the id under which a venue knows it.

Both are functions of what was decided, not of when or by which process: after a crash the same decision has the same id, which the
venue refuses the second time (`client_order_id must be unique`).
"""

from __future__ import annotations

import base64
import hashlib
from typing import NamedTuple

from gpt_trader.errors import BadParameter

PREFIX = "gpt"
DIGEST_BYTES = 15  # 120 bits, 24 letters: two of 10**12 orders share an id with a probability of 4e-13
UID_LETTERS = 16


class DecisionKey(NamedTuple):
    """A decision that leads to at most one order.

    `strategy`: the instance's name in the session; `bar`: ns since 1970 of the bar at whose close it was made; `leg`: what the
    order is for, such as "target", "exit" or "stop"; `number`: which of several such orders of one bar, from 0.
    """

    strategy: str
    symbol: str
    bar: int
    leg: str
    number: int = 0

    @property
    def text(self) -> str:
        """In one line, its parts between slashes, each without slashes of its own."""
        parts = (self.strategy, self.symbol, str(self.bar), self.leg, str(self.number))
        return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def client_order_id(session_uid: str, key: DecisionKey) -> str:
    """The id of a decision's order: `gpt-`, 8 letters of the session and 24 of the hash of both; 37 characters of a-z, 0-9 and -.

    `session_uid` are the 16 hexadecimal digits that a session gets when it is made: an account may see many sessions, and venues
    never forget an id. Raises BadParameter for another one.
    """
    if len(session_uid) != UID_LETTERS or not set(session_uid) <= set("0123456789abcdef"):
        raise BadParameter(f"a session's uid is {UID_LETTERS} hexadecimal digits, not {session_uid!r}")
    digest = hashlib.blake2b(key.text.encode(), digest_size=DIGEST_BYTES, key=session_uid.encode()).digest()
    return f"{PREFIX}-{session_uid[:8]}-{base64.b32encode(digest).decode().lower()}"


def is_ours(client_id: str, session_uid: str) -> bool:
    """Whether an id that a venue shows was made by this session."""
    return client_id.startswith(f"{PREFIX}-{session_uid[:8]}-")
