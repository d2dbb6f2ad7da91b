"""What PyTorch keeps for each thread, carried to ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch


def thread_settings() -> Callable[[], AbstractContextManager[None]]:
    """The calling thread's, for other threads to enter.

    Whether gradients are followed, what autocast casts to, the default device, the current GPU, and
    how many threads share the work of an operation, on which the last digits may depend.
    """
    follows, infers = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    default, threads = torch.get_default_device(), torch.get_num_threads()
    gpu = torch.cuda.current_device() if torch.cuda.is_initialized() else None
    casts = [
        (kind, torch.get_autocast_dtype(kind))
        for kind in ("cpu", "cuda")
        if torch.is_autocast_enabled(kind)
    ]

    @contextmanager
    def scope() -> Iterator[None]:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(infers))
            stack.enter_context(torch.set_grad_enabled(follows))
            for kind, dtype in casts:
                stack.enter_context(torch.autocast(kind, dtype))
            if default.type != "cpu":
                stack.enter_context(default)
            if gpu is not None:
                stack.enter_context(torch.cuda.device(gpu))
            yield

    return scope
