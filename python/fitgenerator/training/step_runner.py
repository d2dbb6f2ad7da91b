"""The running of one round of steps: an epoch's, an evaluation's, a prediction's."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

from ..batches.prepared import Batch
from ..host.interface import ForeignHook, RawBatch
from ..models.keras_versions import STOPS
from ..models.protocol import Logs
from ..models.result_order import arranged, loss_first
from ..prefetch.fetch import Round
from ..prefetch.prefetcher import Prefetcher
from ..sources.source import Spot
from .call_policy import Asked
from .call_runner import CallRunner, Outputs
from .run_context import RunContext
from .saves import Saves


class StepRunner:
    """Runs the steps of one mode, round by round: epochs, evaluations, a prediction."""

    def __init__(
        self,
        context: RunContext,
        mode: str,  # "train", "test" or "predict"
        prefetcher: Prefetcher,
        prepare: Callable[[RawBatch], Batch],
        count: int | None,  # steps of one round, `None` for as many as a pass of the source has
        rounds: int = 1,  # how many there will be
        *,
        whole: bool = False,  # a round is a pass, of `count` steps unless the source changes
    ) -> None:
        self.context = context
        self.prefetcher = prefetcher
        self._execution = context.keras_version.steps_per_execution
        self._hooked = context.callbacks.has_batch_hooks(mode)
        self.count = count  # of the round
        self.saves: Saves | None = None  # of a training
        self.left_out = 0  # batches of the round that had nothing in them
        self._left_out = 0  # of all rounds
        asked = Asked(None if count is None else count * rounds, count, context.jit_compile)
        self.calls = CallRunner(context, mode, prefetcher, self._hooked, asked)
        self.round = Round(count, prepare, whole=whole, call_size=self.calls.size)

    @property
    def described(self) -> dict[str, Any]:
        """What has to be the same in all processes."""
        return {
            "the number of steps": self.count,
            "the `seed` of the shared source": self.prefetcher.source.shared_seed,
        }

    def grant(
        self,
        *,
        restart: bool = False,
        wrap: bool = False,
        epoch: int = 0,
        times: int = 1,
        start: tuple[int, Spot | None] = (0, None),
        goes_on: bool = False,
    ) -> None:
        """Let the batches of so many rounds be fetched, the first one for the epoch `epoch`.

        Of that, `start` says how many batches are done, and where the source goes on.
        """
        round_ = replace(self.round, restart=restart, wrap=wrap, epoch=epoch, goes_on=goes_on)
        begun = start != (0, None)
        if begun and times > 0:
            first = replace(round_, done=start[0], spot=start[1])
            self.prefetcher.schedule.grant(first)
        rest = replace(round_, epoch=epoch + begun)
        self.prefetcher.schedule.grant(rest, times - begun)
        self.context.host.wake()  # it may make batches now

    def begin(self, done: int = 0) -> Iterator[ForeignHook]:
        """The begin hook of the round's first step; ends the job that begins the round.

        So many steps are `done`. A hook before it may have compiled the model anew.
        """
        self.calls.begin()
        self.context.pacing.hooked = self._hooked
        if self._hooked:
            yield from self.context.callbacks.run(f"on_{self.calls.mode}_batch_begin", done, {})

    def run(
        self, keep: Callable[[list[Outputs]], None] | None = None, done: int = 0
    ) -> tuple[int, Outputs]:
        """Run a round's steps after those that are `done`; how many are, and the last one's return.

        As in Keras, hooks and stops come between groups of `steps_per_execution` steps.
        """
        context, group, last, common = self.context, [None], False, self.calls.common
        common.stops, at_once = False, self._stopped()
        most = None if self.round.whole else self.round.count
        while not last and (most is None or done < most):
            context.host.termination.check()
            full = self._execution - done % self._execution
            size = full if most is None else min(full, most - done)
            ran, outputs, last = self._run_group(size, done, exact=at_once)
            if not ran:
                break
            group, done = outputs, done + ran
            if keep is not None:
                keep(group)
            if self._hooked:
                between = lambda: self._between(done, group, last)  # noqa: B023, E731
                stop = context.host.call(between)
            else:
                stop = self._stopped()
                if not (last or stop) and (due := self._due()):
                    context.host.call(due.keep)
            context.progress.step(done, self.count, lambda: self._logs(group[-1]))  # noqa: B023
            common.stops = stop and common.several
            if (stop and not common.several) or ran < size:
                break
        if last and most is None and common.several:
            self._in_common(None, done + 1)  # where a pass is over, it is over in all processes
        left_out = self.prefetcher.schedule.left_out
        self.left_out, self._left_out = left_out - self._left_out, left_out
        context.pacing.rest()
        context.host.wake()
        self.calls.end()
        return done, group[-1]

    def _take(self, step: int, most: int | None) -> Batch | None:
        """The next call, of at `most` so many steps; `None` where a process has none."""
        common = self.calls.common
        call = None if common.stops else common.next(self.prefetcher.take)
        if most is not None and call is not None and call.count > most:
            call, common.rest = call.cut(most)
        return self._in_common(call, step) if common.several else call

    def _in_common(self, call: Batch | None, step: int) -> Batch | None:
        """A call of this process, where the round goes on in all of them."""
        common = self.calls.common
        # A validation that ends early would leave batches for the next one, as an epoch would.
        must = self.round.whole or self.calls.mode != "train"
        common.keep = None if self.saves is None else self.saves.told()
        call = common.take(call, f"step {step}", lack_is_error=must)
        if call is not None and common.keeps:
            assert self.saves is not None
            self.context.host.call(self.saves.keep)
        if common.stops:
            setattr(self.context.model, STOPS[self.calls.mode], True)
        return call

    def _due(self) -> Saves | None:
        """What keeps, where a file is due; raises what the writing of the last one has raised."""
        if self.saves is None or self.calls.common.several:
            return None
        return self.saves if self.saves.is_due() else None

    def _logs(self, outputs: Outputs) -> Logs:
        if self.calls.mode == "predict":
            return {}
        logs = self.context.keras_version.logs(outputs)
        return arranged(logs, loss_first(self.context.model, outputs or {}))

    def _stopped(self) -> bool:
        return bool(getattr(self.context.model, STOPS[self.calls.mode]))

    def _run_group(self, size: int, done: int, *, exact: bool) -> tuple[int, list[Outputs], bool]:
        """Run calls until `size` steps or more are done, or the round's last; `done` were before.

        No more than `size` steps where the number is `exact`: a hook before the round's first step
        has stopped it. How many were run, what they returned, and whether the round is over.
        """
        ran, outputs, last = 0, [], False
        while ran < size and not last:
            call = self._take(done + ran + 1, size - ran if exact else None)
            if call is None:
                break
            if call.left is not None:
                last, self.count = call.left == 0, done + ran + call.count + call.left
            outputs += self.calls.execute(call)
            ran += call.count
            self.context.host.check()
        return ran, outputs, last

    def _between(
        self, done: int, group: list[Outputs], last: bool
    ) -> Generator[ForeignHook, None, bool]:
        """The end hooks of one group and the begin hooks of the next: one hand-over.

        Thread rule 4: all callbacks run on the calling thread, in order, while the loop waits; they
        may hold R functions. The next batch is taken afterwards.

        True where an end hook stops the round; what a begin hook stops, stops after its group, as
        in Keras.
        """
        context = self.context
        full = context.keras_version.full_groups
        upto = -(-done // self._execution) * self._execution if full else done
        if self.calls.mode == "predict":
            logs = {"outputs": context.keras_version.backend.joined(group)}
        else:
            logs = context.keras_version.logs(group[-1])
        yield from context.callbacks.run(f"on_{self.calls.mode}_batch_end", upto - 1, logs)
        stop = self._stopped()
        if not (last or stop):
            if due := self._due():
                due.keep()
            yield from context.callbacks.run(f"on_{self.calls.mode}_batch_begin", upto, {})
        return stop
