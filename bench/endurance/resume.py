"""Training killed at random moments and restarted: does it end as an undisturbed one?

    tools/with-env python bench/endurance/resume.py [TRIALS] [WAY ...]

The ways are `python` (a generator function) and `r` (an R closure, in R), with files after epochs;
`python-within` and `r-within`, with files within epochs (by `every` and by `seconds`, in turns);
`python-term` and `r-term`, with SIGTERM instead of SIGKILL; and, for comparison, `keras` (the
callback `BackupAndRestore`; weights only, and without Dropout, since this callback keeps neither
the history nor the state of random layers). Each trial trains in a process of its own, which is
killed (SIGKILL) at a random moment and restarted, until one process reaches the end (the last is
not killed). Half of the kills are aimed at a moment when the checkpoint is written. The history of
the last process, and all variables of the model and the optimizer, must equal those of an
undisturbed training, to the bit.

SIGTERM comes once in each trial, in half of them while a batch is made that takes a minute. The
file must be written within 2 s, and the exit status be 143; the same call must then end as an
undisturbed one.

In Python, each process is forked from this one, which has imported TensorFlow but not used it.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import resume_training as training
from fitgenerator.checkpoint import archive
from resume_training import Setting

# Kills of one trial, after which a process is left to itself; R takes long to start.
MOST_KILLS = {"python": 6, "r": 2, "keras": 6}
# Part of the kills that is aimed at the writing of a checkpoint.
AIMED = 0.5
# Seconds within which an aimed kill comes after the writing has begun; it takes some 0.04.
WRITING = 0.04
# Seconds that a process may take before it counts as hung.
PATIENCE = 180
# Seconds within which the file must be there after SIGTERM.
PROMPT = 2.0
# By which a file within an epoch is due, in turns.
DUE = [Setting(every=4), Setting(seconds=0.1), Setting(every=7, seconds=0.3)]


# -- starting and killing -----------------------------------------------------------------------


@dataclass
class Process:
    """A process that trains: its number, and what it says."""

    number: int
    output: int
    text: str = ""
    ended: bool = False

    def wait_for(self, word: str, seconds: float) -> bool:
        """Whether it says a line that begins with `word`, before it ends and in time."""
        deadline = time.perf_counter() + seconds
        while not any(line.startswith(word) for line in self.lines):
            left = deadline - time.perf_counter()
            if left <= 0 or not select.select([self.output], [], [], left)[0]:
                return False
            heard = os.read(self.output, 65536)
            if not heard:
                self.ended = True
                return False
            self.text += heard.decode()
        return True

    @property
    def lines(self) -> list[str]:
        """What it has said, in whole lines."""
        return self.text.split("\n")[:-1]

    @property
    def result(self) -> str:
        """What a process that got to the end found."""
        return next(line for line in self.lines if line.startswith("done "))

    def end(self, number: int = signal.SIGKILL) -> int:
        """Send it a signal, if it still lives, and wait for its end; its exit status."""
        os.kill(self.number, number)
        self.wait_for("nothing that it says", PATIENCE if number != signal.SIGKILL else 0)
        os.kill(self.number, signal.SIGKILL)
        _, status = os.waitpid(self.number, 0)
        os.close(self.output)
        return os.waitstatus_to_exitcode(status)


def forked(work: Callable[[], None]) -> Process:
    """A process that does `work`."""
    reading, writing = os.pipe()
    number = os.fork()
    if number == 0:
        os.dup2(writing, 1)
        status = 0
        try:
            work()
        except SystemExit as error:  # as a script would end
            status = int(error.code or 0)
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(status)
    os.close(writing)
    return Process(number, reading)


def in_r(folder: Path, *words: str) -> Process:
    """A process of R's that trains."""
    command = ["Rscript", str(Path(__file__).with_name("resume_trial.R")), str(folder), *words]
    reading, writing = os.pipe()
    started = subprocess.Popen(command, stdout=writing, stderr=writing)
    started.returncode = 0  # it is waited for here, not there
    os.close(writing)
    return Process(started.pid, reading)


WAYS: dict[str, Callable[[Path, Setting], Process]] = {
    "python": lambda folder, _: forked(lambda: training.train(folder)),
    "r": lambda folder, _: in_r(folder),
    "keras": lambda folder, _: forked(lambda: training.train_keras(folder)),
    "python-within": lambda folder, due: forked(lambda: training.train_within(folder, due)),
    "r-within": lambda folder, due: in_r(folder, *due.words()),
}
WAYS |= {"python-term": WAYS["python-within"], "r-term": WAYS["r-within"]}


@dataclass
class Count:
    """What came of the trials of one way."""

    equal: int = 0
    other: int = 0
    failed: int = 0
    kills: int = 0
    writing: int = 0
    within: int = 0  # processes that went on within an epoch
    seconds: list[float] = field(default_factory=list)  # from SIGTERM to the file
    complaints: set[str] = field(default_factory=set)


def undisturbed(way: str) -> tuple[str, float]:
    """What a training that nobody kills ends with, and how many seconds it trains."""
    with tempfile.TemporaryDirectory() as folder:
        process = WAYS[way](Path(folder), DUE[0])
        begun = time.perf_counter()
        if process.wait_for("training", PATIENCE):
            begun = time.perf_counter()
        if not process.wait_for("done", PATIENCE):
            raise RuntimeError(f"The undisturbed training failed:\n{process.text}")
        spent = time.perf_counter() - begun
        process.end()
        return process.result, spent


def is_within(folder: Path) -> bool:
    """Whether the file is one of an epoch that is not over."""
    note = archive.read_note(folder / "training.npz")
    return note is not None and bool((note.get("within") or {}).get("steps"))


def trial(way: str, number: int, expected: str, seconds: float, count: Count) -> None:
    """Kill and start again until a process gets to the end."""
    folder, most = Path(tempfile.mkdtemp()), MOST_KILLS[way.partition("-")[0]]
    for attempt in range(most + 1):
        process = WAYS[way](folder, DUE[number % len(DUE)])
        patience = random.uniform(0, 0.7 * seconds) if attempt < most else PATIENCE
        done = process.wait_for("training", PATIENCE) and process.wait_for("done", patience)
        if not done and random.random() < AIMED:
            await_writing(folder)
        process.end()
        if done or process.ended or attempt == most:
            break
        count.kills += 1
        count.writing += any(folder.glob("*.tmp"))
        count.within += is_within(folder)
    judge(process, expected, count)
    left = {file.name for file in folder.iterdir()} - {"training.npz", "training.npz.lock"}
    if way != "keras" and left:
        count.complaints.add("more than the checkpoint is left")
    shutil.rmtree(folder)


def await_writing(folder: Path) -> None:
    """Return at a random moment of the writing of a checkpoint, where one comes within a second."""
    deadline = time.perf_counter() + 1
    while time.perf_counter() < deadline:
        if any(folder.glob("*.tmp")):
            time.sleep(random.uniform(0, WRITING))
            return
        time.sleep(0.001)


def terminated(way: str, number: int, expected: str, seconds: float, count: Count) -> None:
    """Send SIGTERM at a random moment, and call again."""
    folder, steps = Path(tempfile.mkdtemp()), training.STEPS_WITHIN * training.EPOCHS_WITHIN
    stall = random.randrange(1, steps - 1) if number % 2 else None
    process = WAYS[way](folder, Setting(stall=stall))
    process.wait_for("training", PATIENCE)
    # A batch that takes a minute comes before the end; later, there is nothing to terminate.
    done = process.wait_for("done", random.uniform(0, (1.5 if stall else 0.7) * seconds))
    asked = time.time()
    status = process.end(signal.SIGTERM)
    if done or (process.ended and any(line.startswith("done ") for line in process.lines)):
        count.complaints.add("some had ended before SIGTERM came")
    else:
        count.kills += 1
        if status != 143:
            count.complaints.add(f"exit status {status}: {process.text[-200:]}")
        file = folder / "training.npz"
        # None where SIGTERM came before the first step was done, or just after an epoch's file.
        if file.exists() and file.stat().st_mtime > asked:
            spent = file.stat().st_mtime - asked
            count.seconds.append(spent)
            if spent > PROMPT:
                count.complaints.add(f"{spent:.1f} s: {process.text.splitlines()[-1]}")
        count.within += is_within(folder)
    process = WAYS[way](folder, Setting())
    process.wait_for("done", PATIENCE)
    process.end()
    judge(process, expected, count)
    shutil.rmtree(folder)


def judge(process: Process, expected: str, count: Count) -> None:
    """Compare how a trial ended with how it should have."""
    if not any(line.startswith("done ") for line in process.lines):
        count.failed += 1
        errors = [line for line in process.lines if "Error" in line.partition(":")[0]]
        count.complaints.add((errors or process.lines or ["nothing was said"])[-1][:200])
    elif process.result == expected:
        count.equal += 1
    else:
        count.other += 1


def report(way: str, trials: int, count: Count, seconds: float) -> None:
    """Print what came of the trials of one way."""
    how = f"{count.kills} kills, {count.writing} while the checkpoint was written"
    if way.endswith("-term"):
        late = sum(spent > PROMPT for spent in count.seconds)
        how = f"{count.kills} times SIGTERM, {len(count.seconds)} files for it, {late} late"
        if count.seconds:
            middle, most = statistics.median(count.seconds), max(count.seconds)
            how += f" (median {middle:.2f} s, at most {most:.2f} s)"
    if "-" in way:
        how += f", {count.within} within an epoch"
    ends = f"{count.equal} of {trials} equal, {count.other} other, {count.failed} failed"
    print(f"{way:<14}{ends}; {how}; {seconds:.1f} s undisturbed", flush=True)
    for complaint in sorted(count.complaints):
        print(f"              {complaint}", flush=True)


def main() -> None:
    """Run every way and print a line for each."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for way in sys.argv[2:] or ["python", "r", "python-within", "r-within"]:
        expected, seconds = undisturbed(way)
        again, other = undisturbed(way)
        seconds = min(seconds, other)
        if again != expected:
            raise SystemExit(f"{way}: two undisturbed trainings differ; nothing can be compared.")
        count = Count()
        for number in range(trials):
            one = terminated if way.endswith("-term") else trial
            one(way, number, expected, seconds, count)
            if "-" in way and (number + 1) % 10 == 0:
                report(way, number + 1, count, seconds)
        if "-" not in way or trials % 10:
            report(way, trials, count, seconds)


if __name__ == "__main__":
    main()
