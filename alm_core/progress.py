"""What a long run tells while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One report of a run.

    Attributes
    ----------
    stage : str
    done, total : int
        Steps of the stage.
    message : str
    seconds_left : float or None
        Estimated for this stage from the pace so far; None before the first step is done.
    lasting : bool
        Worth being kept in sight while the stage goes on; not a step.
    """

    stage: str
    done: int
    total: int
    message: str
    seconds_left: float | None
    lasting: bool = False

    def to_dict(self) -> dict[str, object]:
        """The event as plain values."""
        return {
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "message": self.message,
            "seconds_left": self.seconds_left,
            "lasting": self.lasting,
        }


Listener = Callable[[Event], None]


@dataclass
class Reporter:
    """Turns ``(done, total, message)`` calls of a room into events of a stage.

    Examples
    --------
    >>> seen = []
    >>> report = Reporter("map", seen.append, clock=iter([0.0, 10.0]).__next__)
    >>> report(1, 3, "first block")
    >>> seen[0].seconds_left
    20.0
    """

    stage: str
    listener: Listener | None
    clock: Callable[[], float] = time.monotonic
    _begun: float = field(init=False)
    _last: tuple[int, int] = field(default=(0, 1), init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock()

    def note(self, message: str) -> None:
        """Pass on what should be kept in sight, such as an estimate."""
        if self.listener is not None:
            self.listener(Event(self.stage, *self._last, message, None, lasting=True))

    def __call__(self, done: int, total: int, message: str) -> None:
        """Pass a step on."""
        if self.listener is None:
            return
        self._last = (done, total)
        elapsed = self.clock() - self._begun
        left = elapsed / done * (total - done) if done > 0 else None
        self.listener(Event(self.stage, done, total, message, left))
