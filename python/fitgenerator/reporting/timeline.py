"""When each of the last batches was made, lay in the queue and was used, and on which thread."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

# Of how many batches the times are kept.
LAST = 100

_OURS = "fitgenerator-"

# A batch: the argument that it came from, and its number, from 1.
Place = tuple[str, int]
# When something began and ended, by `time.perf_counter()`, and who did it: the number of a
# thread, or the lane of a worker in another process.
Span = tuple[float, float, int | str]


class Event(NamedTuple):
    """What was done with one batch.

    Attributes:
        source: The argument that it came from: "generator" or "validation_data".
        batch: Its number, from 1.
        what: "generator", "conversion", "queue", "step", "wait" (the model waited for it) or
            "callbacks" (which were called after its step).
        begin: When that began, in seconds since the call did.
        end: When it ended. Batches of one call of a compiled function share its times.
        lane: The thread: "calling thread", "training thread", "generator feeder", ...; "worker 1",
            ... for what was done in another process; of a batch in the queue "queue".
    """

    source: str
    batch: int
    what: str
    begin: float
    end: float
    lane: str


class Timeline:
    """Keeps the times of the last batches; any thread may add to it.

    Nothing is computed before someone looks: what is added are times that were taken anyway.
    """

    def __init__(self, begun: float = 0.0) -> None:
        self._begun = begun  # when the call began, by `time.perf_counter()`
        self._lanes: dict[int, str] = {}  # of our threads; all others are the calling thread
        self._made: deque[tuple[Place, Span, Span]] = deque(maxlen=LAST)
        self._calls: deque[tuple[Place, int, Span]] = deque(maxlen=LAST)
        self._others: deque[tuple[Place, str, Span]] = deque(maxlen=4 * LAST)

    def enter(self) -> None:
        """This thread is ours. It is known by its number: its name would take a microsecond."""
        thread = threading.current_thread()
        self._lanes[threading.get_ident()] = _lane(thread.name)

    def made(self, place: Place, came: Span, converted: Span) -> None:
        """A batch came from its source and was prepared."""
        self._made.append((place, came, converted))

    def ran(self, place: Place, count: int, span: Span) -> None:
        """A call ran the steps of `count` batches, the first of which is at `place`."""
        self._calls.append((place, count, span))

    def saw(self, place: Place, what: str, span: Span) -> None:
        """The model waited for a batch ("wait"), or hooks after its step ran ("callbacks")."""
        self._others.append((place, what, span))

    def events(self) -> list[Event]:
        """What was done with the last batches that were made, in the order of its beginning."""
        made = list(self._made)
        ready = {place: converted[1] for place, _, converted in made}
        events = []
        for place, came, converted in made:
            events.append(self._event(place, "generator", came))
            events.append(self._event(place, "conversion", converted))
        for place, what, span in list(self._others):
            if place in ready:
                events.append(self._event(place, what, span))
        for (source, first), count, span in list(self._calls):
            for place in [(source, first + i) for i in range(count)]:
                if place in ready:
                    since = ready[place]
                    queued = (since, max(since, span[0]), span[2])
                    events.append(self._event(place, "queue", queued, "queue"))
                    events.append(self._event(place, "step", span))
        return sorted(events, key=lambda event: (event.begin, event.end))

    def _event(self, place: Place, what: str, span: Span, lane: str | None = None) -> Event:
        begin, end, who = span
        known = who if isinstance(who, str) else self._lanes.get(who, "calling thread")
        return Event(*place, what, begin - self._begun, end - self._begun, lane or known)


def _lane(thread: str) -> str:
    """The lane that a thread of ours of that name is drawn in."""
    role, _, rest = thread.removeprefix(_OURS).partition("-")
    if role != "feeder":
        return f"{role} thread"
    source, _, number = rest.rpartition("-")
    return f"{source} feeder" if number == "0" else f"{source} feeder {int(number) + 1}"
