import ctypes
import time

from spotty_gateway.clock import SystemClock


def test_the_clocks_are_the_computer_s() -> None:
    """Monotonic and wall time in microseconds, between two readings of the real ones."""
    clock = SystemClock()
    before = time.monotonic_ns() // 1000, time.time_ns() // 1000
    mono, wall = clock.mono(), clock.mono() + clock.offset()
    after = time.monotonic_ns() // 1000, time.time_ns() // 1000
    assert before[0] <= mono <= after[0]
    assert before[1] - 1000 <= wall <= after[1] + 1000


def test_trust_may_be_the_installer_s_word() -> None:
    """On a computer that keeps time without telling the kernel a setting says so."""
    assert SystemClock(assume_trusted=True).trusted()


def test_trust_is_the_kernel_s_word_and_its_answer_fits() -> None:
    """The same question with room to spare: the same answer, and nothing written behind the space that we give it."""
    buffer = ctypes.create_string_buffer(4096)
    state = ctypes.CDLL(None).adjtimex(buffer)
    assert SystemClock().trusted() is (state not in (-1, 5))
    assert not any(buffer.raw[208:])
