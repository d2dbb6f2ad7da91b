"""The part of `refusals` that is about worker processes."""

from __future__ import annotations

import socket
from collections.abc import Callable

from fitgenerator import batch_sequence, evaluate_generator
from fitgenerator.r.worker_source import Work, worker_source

from support.tiny_trainings import echo_model, numbered_batch
from support.worker_pools import pool_of


def worked(how: str, program: str | None = None) -> Callable[[], object]:
    """Evaluates on batches that workers make which misbehave in that way, at the first one."""

    def evaluate() -> object:
        given = {} if program is None else {"program": program}
        with pool_of(how, "1", **given) as pool:  # type: ignore[arg-type]
            work = Work(pool, 0, batch_sequence(numbered_batch, 2), None, "generator")
            return evaluate_generator(echo_model(), worker_source(work, None))

    return evaluate


def taken() -> object:
    """A port that is taken by somebody else."""
    server = socket.create_server(("127.0.0.1", 0))
    with server, pool_of(port=server.getsockname()[1]):
        return None


WORKERS: dict[str, Callable[[], object]] = {
    "a batch that ends workers": worked("exit always"),
    "workers that do not start": worked("well", "/no/such/program"),
    "a worker that cannot be set up": worked("unset always"),
    "a port that is taken": taken,
}
