"""The worker processes of one call from R."""

from __future__ import annotations

from ...workers.pool import Pool
from ...workers.process import Launch
from ...workers.site import Address, Site
from .host_loop import RList


def pool_of(arguments: RList) -> Pool | None:
    """The pool that `pool` among the arguments of a call describes; `None` where there is none.

    Its workers are started by `start`. More of them than batches may be on their way, which is one
    in lock-step, would have nothing to do.
    """
    given: RList | None = arguments.pop("pool", None)
    if given is None:
        return None
    most = arguments["max_queue_size"]
    count = min(int(arguments["workers"]), max(1, 10 if most is None else int(most)))
    command = [given["program"], *given["options"]]
    launch = Launch(command, given["environment"], given["folder"], given["work"])
    address = Address(given["host"], int(given["port"]))
    return Pool(count, Site(launch, address, given["scratch"]))
