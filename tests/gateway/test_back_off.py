from spotty_gateway.back_off import BackOff


def test_waits_double_up_to_the_longest() -> None:
    """Whoever fails again and again is asked less and less."""
    back_off, now_s, waits = BackOff(1, 10), 100.0, []
    for _ in range(6):
        attempt_at = back_off.after_trouble(now_s)
        waits.append(attempt_at - now_s)
        now_s = attempt_at + 9  # what stood for so short a time has not proved itself
    assert waits == [1, 2, 4, 8, 10, 10]


def test_what_stood_for_long_is_tried_soon() -> None:
    """After the longest wait without trouble the next one is the first again."""
    back_off = BackOff(1, 10)
    for now_s in (0.0, 1.0, 3.0):
        back_off.after_trouble(now_s)
    assert back_off.after_trouble(7 + 10) == 17 + 1
