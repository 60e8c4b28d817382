"""A strategy file for the tests of faults: it waits, dies, hangs, raises or leaves at one of its points."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpt_trader import Strategy, param

MOODS = ("calm", "meet", "die", "hang", "raise", "leave")


@dataclass(frozen=True)
class Moody(Strategy):
    """Holds x hundred-thousandths. At point `at`, or at every point when that is -1, it does as its mood is.

    `meet` leaves the number of its process in the folder and waits until the file `go` is there; the other moods say it.
    """

    x: int = param(1, low=0, high=100_000)
    mood: str = param("calm", choices=MOODS)
    at: int = param(-1, low=-1, high=100_000)
    folder: str = param("")

    def decide(self, now):
        if self.at in (-1, self.x):
            self.be_moody()
        return np.full_like(now.close, self.x / 100_000)

    def be_moody(self):
        if self.mood == "meet":
            folder = Path(self.folder)
            (folder / f"{self.x}-{os.getpid()}.met").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)
        elif self.mood == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.mood == "hang":
            while True:
                time.sleep(60)
        elif self.mood == "raise":
            raise ZeroDivisionError("planted")
        elif self.mood == "leave":
            sys.exit(3)
