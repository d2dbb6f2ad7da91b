"""The part of `refusals` that is about worker processes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

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


def in_r(code: str) -> Callable[[], object]:
    """Evaluates on batches that two R processes are to make of an R function."""

    def evaluate() -> object:
        from support.r_code import closure

        flow = batch_sequence(closure(code), 2, seed=1)
        return evaluate_generator(echo_model(), flow, workers=2)

    return evaluate


@contextmanager
def without_globals() -> Iterator[None]:
    """While R has no package globals."""
    from fitgenerator.r.rpy2.functions import _code

    from support.r_code import r

    code = _code()
    own = code["require_globals"]
    r("function(code, own) code$require_globals <- function(found) own(FALSE)")(code, own)
    try:
        yield
    finally:
        code["require_globals"] = own


def no_globals() -> object:
    """An R function is to run elsewhere, and cannot be looked at."""
    with without_globals():
        return in_r("function(i) list(1, 1)")()


def no_port() -> object:
    """A port that is none."""
    with mock.patch.dict("os.environ", {"FITGENERATOR_PORT": "all"}):
        return in_r("function(i) list(1, 1)")()


WORKERS: dict[str, Callable[[], object]] = {
    "a batch that ends workers": worked("exit always"),
    "workers that do not start": worked("well", "/no/such/program"),
    "a worker that cannot be set up": worked("unset always"),
    "a port that is taken": taken,
    "a port that is none": no_port,
    "an R function that counts": in_r("n <- 0; function(i) { n <<- n + i; list(n, n) }"),
    "no R package globals": no_globals,
}
