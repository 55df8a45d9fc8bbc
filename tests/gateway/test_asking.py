import threading

import pytest
from tests.gateway.test_executor import SlowPlayer

from spotty_gateway.asking import Question
from spotty_gateway.errors import NoActiveDeviceError, PlayerUnavailableError
from spotty_gateway.ports import Player

PATIENCE_S = 10.0


def test_the_answer_comes_from_the_thread_that_owns_the_player() -> None:
    """Asked there and nowhere else, within the time of whoever waits."""
    player = SlowPlayer()
    question = Question(lambda _: threading.current_thread().name, PATIENCE_S)
    owner = threading.Thread(target=question.put_to, args=(player,), name="the owner")
    owner.start()
    assert question.answer() == "the owner"
    assert 0 < player.budgets[0] <= PATIENCE_S
    owner.join()


def test_an_error_is_the_asker_s() -> None:
    """It is raised where the answer was waited for, and the player's thread goes on."""

    def refuse(player: Player) -> None:
        del player
        raise NoActiveDeviceError("gone")

    question = Question(refuse, PATIENCE_S)
    question.put_to(SlowPlayer())
    with pytest.raises(NoActiveDeviceError, match="gone"):
        question.answer()


def test_a_question_nobody_waits_for_is_not_asked() -> None:
    """The player is busy for too long: said in one line, and when it is free again nothing is asked any more."""
    asked: list[Player] = []
    question = Question(asked.append, 0.01)
    with pytest.raises(PlayerUnavailableError, match="the player is busy; ask again in a moment"):
        question.answer()
    question.put_to(SlowPlayer())
    assert asked == []
