"""The worker processes of one call from R."""

from __future__ import annotations

from ...workers.lent import LentDoor
from ...workers.pool import Pool, no_answer
from ...workers.process import Launch
from ...workers.site import Address, Site
from .host_loop import RList


class Lending:
    """How R has workers of the user's dial in; for R's thread."""

    def __init__(self, pool: Pool, door: LentDoor) -> None:
        self._pool = pool
        self._door = door

    def address(self) -> RList:
        """Where they dial, how many are wanted, and the seconds that they have."""
        host, port = self._door.at
        patience = self._door.patience
        return {"host": host, "port": port, "count": self._pool.count, "patience": patience}

    def invite(self) -> str:
        """The token of one more worker."""
        return self._pool.invite()

    def knock(self) -> str:
        """The token by which a worker says that it is there."""
        return self._door.knock()

    def knocked(self, seconds: float) -> list[str]:
        """The tokens of those that have said it, within so many seconds."""
        return self._door.knocked(seconds)

    def none_came(self) -> str:
        """What it means that nobody has said it."""
        return no_answer(self._door)


def pool_of(arguments: RList) -> tuple[Pool | None, Lending | None]:
    """The pool that `pool` among the arguments of a call describes; `None` where there is none.

    The second is for R to have workers of the user's dial in, if it is they who make the batches.
    Its workers are started by `start`. More of them than batches may be on their way, which is one
    in lock-step, would have nothing to do.
    """
    given: RList | None = arguments.pop("pool", None)
    if given is None:
        return None, None
    most = arguments["max_queue_size"]
    count = min(int(arguments["workers"]), max(1, 10 if most is None else int(most)))
    address = Address(given["host"], int(given["port"]))
    if "patience" in given:
        door = LentDoor(address, given["patience"])
        pool = Pool(count, door)
        return pool, Lending(pool, door)
    command = [given["program"], *given["options"]]
    launch = Launch(command, given["environment"], given["folder"], given["work"])
    return Pool(count, Site(launch, address, given["scratch"])), None
