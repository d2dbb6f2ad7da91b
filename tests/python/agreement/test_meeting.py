"""Processes agree, and all learn of the end of one."""

from __future__ import annotations

import socket
import threading
from typing import Any

from fitgenerator.agreement.agreement import Agreement
from fitgenerator.agreement.link import DATA, Link
from fitgenerator.agreement.lookout import Lookout
from fitgenerator.errors import ArgumentError, ProcessError
from fitgenerator.host.joined_threads import JoinedThreads
from support.local_clusters import clusters, in_each


def test_each_process_learns_what_all_give() -> None:
    def work(agreement: Agreement) -> Any:
        found = [agreement.agree(f"step {n}", [agreement.index, n]) for n in range(3)]
        data = agreement.spread(b"of process 0" if agreement.index == 0 else b"")
        agreement.leave()
        return found, data

    expected = [[[i, n] for i in range(3)] for n in range(3)], b"of process 0"
    assert in_each([work] * 3, clusters(3)) == [expected] * 3


def test_a_flag_of_one_process_is_one_of_all() -> None:
    def work(agreement: Agreement) -> Any:
        found = [agreement.any("here", flag=agreement.index == n) for n in range(3)]
        agreement.leave()
        return found

    assert in_each([work] * 2, clusters(2)) == [[True, True, False]] * 2


def test_an_error_of_one_process_reaches_all_others() -> None:
    def fails(agreement: Agreement) -> None:
        raise OverflowError("too much")

    waits = lambda agreement: agreement.agree("step 1", 0)  # noqa: E731
    first, second, third = in_each([waits, waits, fails], clusters(3))
    assert isinstance(third, OverflowError)
    for error in (first, second):
        assert isinstance(error, ProcessError)
        assert "Process 2 of 3 (127.0.0.1:23452) failed: too much." in str(error)


def test_places_that_differ_are_an_error() -> None:
    works = [lambda a: a.agree("step 1", 0), lambda a: a.agree("the end", 0)]
    found = in_each(works, clusters(2))
    assert "are at different places" in str(found[0])
    assert any(isinstance(each, ArgumentError) for each in found)


def test_what_waits_in_a_collective_is_ended() -> None:
    made = clusters(2)

    def computes(agreement: Agreement) -> None:
        assert made[0].aborted.wait(30)
        raise RuntimeError("Collective ops is aborted")

    def fails(agreement: Agreement) -> None:
        raise KeyboardInterrupt

    first, second = in_each([computes, fails], made)
    assert isinstance(second, KeyboardInterrupt)
    assert isinstance(first, ProcessError)
    assert "Process 1 of 2 (127.0.0.1:23451) was interrupted." in str(first)
    assert str(first.__cause__) == "Collective ops is aborted"
    assert not [t for t in threading.enumerate() if t.name.startswith("fitgenerator")]


def test_what_is_being_sent_to_a_silent_process_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        link = Link(listener.accept()[0], 1)
    woken, receivers = threading.Event(), JoinedThreads()
    lookout = Lookout(clusters(2)[0], [link], woken.set)
    lookout.start(receivers)
    # More than fits in between, and nobody reads it.
    sending = threading.Thread(target=link.send, args=(DATA, bytes(2**27)))
    sending.start()
    link.heard -= 100
    assert woken.wait(30)
    sending.join(30)
    assert not sending.is_alive()
    assert "has given no sign of life for 100 seconds" in str(lookout.failure)
    lookout.close()
    receivers.join()
    link.close()
    theirs.close()
