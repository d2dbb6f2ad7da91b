"""The bell that R's thread hears outside Python."""

import errno
import os
import select
import threading

import pytest
from fitgenerator.host.doorbell import Doorbell
from fitgenerator.host.requests import Say
from fitgenerator.host.switchboard import Switchboard

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there, R waits inside Python")


def is_rung(bell: int, seconds: float = 0.0) -> bool:
    """Whether the file descriptor can be read."""
    return bool(select.select([bell], [], [], seconds)[0])


def test_a_ring_wakes_who_listens_and_only_who_listens():
    bell = Doorbell()
    bell.ring()  # nobody listens: this leaves no trace
    heard = bell.listen()
    assert heard is not None
    assert not is_rung(heard)
    later = threading.Timer(0.05, bell.ring)
    later.start()
    assert is_rung(heard, 10.0)
    later.join()
    bell.ring()  # a second time, before anybody listens again
    assert bell.listen() == heard
    assert not is_rung(heard)
    assert bell.listen() == heard  # without a ring between the two
    bell.close()


def test_a_bell_that_is_closed_while_others_ring_it_writes_to_no_other_file():
    for _ in range(200):
        bell = Doorbell()
        bell.listen()
        ringing = [threading.Thread(target=bell.ring) for _ in range(3)]
        for thread in ringing:
            thread.start()
        bell.close()
        other = os.pipe()  # has the numbers of the closed one
        for thread in ringing:
            thread.join()
        assert not is_rung(other[0])
        for end in other:
            os.close(end)


def test_a_process_that_may_open_no_more_files_has_no_bell(monkeypatch):
    def none_left() -> tuple[int, int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pipe", none_left)
    board = Switchboard()
    assert board.listen() is None
    board.say(("first",))
    assert isinstance(board.next_request(0.0), Say)
    board.close()


def test_requests_are_heard_and_none_that_came_before_is_waited_for():
    board = Switchboard()
    heard = board.listen()
    assert heard is not None
    board.say(("first",))
    assert is_rung(heard)
    assert board.listen() is None  # it is there: ask for it
    request = board.next_request(0.0)
    assert isinstance(request, Say)
    assert request.shown == ("first",)
    assert board.next_request(0.0) is None
    heard = board.listen()
    assert heard is not None
    assert not is_rung(heard)
    asking = threading.Thread(target=board.wake)
    asking.start()
    assert is_rung(heard, 10.0)
    asking.join()
    board.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(heard)
