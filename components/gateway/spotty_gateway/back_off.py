"""How long to wait before the next attempt: longer each time, until nothing has gone wrong for a while."""


class BackOff:
    """Counts the troubles. Success alone says little: what stands again may fall at once."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        """Waits double from the first to the longest."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._wait_s = first_s
        self._attempt_at: float | None = None

    def after_trouble(self, now_s: float) -> float:
        """The instant of the next attempt. What has stood for the longest wait since the last one is as good as new."""
        if self._attempt_at is not None and now_s - self._attempt_at >= self._longest_s:
            self._wait_s = self._first_s
        self._attempt_at = now_s + self._wait_s
        self._wait_s = min(self._longest_s, self._wait_s * 2)
        return self._attempt_at
