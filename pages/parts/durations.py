"""Times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

from pages.parts.words import Words

FEW_SECONDS = 8
ROUND_SECONDS = 10


def duration(words: Words, seconds: float) -> str:
    """A time span, rounded to what an estimate deserves; `words` are those of jobs."""
    if seconds < FEW_SECONDS:
        return words("time.moment")
    if seconds < 95:
        return words("time.seconds", count=max(ROUND_SECONDS, round(seconds / ROUND_SECONDS) * ROUND_SECONDS))
    if seconds < 5400:
        return words("time.minutes", count=round(seconds / 60))
    return words("time.hours", count=f"{seconds / 3600:.1f}")


def moment(seconds: float) -> str:
    """Date and time of this machine's zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
