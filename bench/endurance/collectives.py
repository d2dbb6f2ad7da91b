"""How a process of several that fails reaches the others, by TensorFlow alone.

Two processes train under a MultiWorkerMirroredStrategy over loopback, a step at a time, without
fitgenerator. After some steps, one of them is killed, ends, leaves by an error, is stopped, or goes
on living without taking part. What becomes of the other, and when, is printed.

    python bench/endurance/collectives.py [--seconds 150] [--failing 1] [way ...]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

WAYS = ("killed", "ended", "error", "stopped", "idle")
STEPS = 20  # before the failure


def worker(index: int, ports: list[int], way: str) -> None:
    """One of the processes; it fails in some way, unless that is empty."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": cluster, "task": {"type": "worker", "index": index}}
    )
    import tensorflow as tf

    begun = time.perf_counter()
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    say("made", seconds=time.perf_counter() - begun)
    with strategy.scope():
        weights = tf.Variable(tf.zeros([64]))

    @tf.function
    def step(rows: tf.Tensor) -> tf.Tensor:
        def one(rows: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # The result of an operation, since an argument of the function has no device.
            total = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(rows))
            weights.assign_add(total)
            return tf.reduce_sum(total)

        return strategy.run(one, args=(rows,))

    done = 0
    try:
        while True:
            if way and done == STEPS:
                say("fails")
                fail(way)
            step(tf.ones([64]))
            done += 1
            if done == STEPS:
                say("steps", number=done)
    except BaseException as error:
        say("raised", error=type(error).__name__, text=str(error)[:500], number=done)
        raise


def fail(way: str) -> None:
    """Fail in one way."""
    if way in ("killed", "stopped"):
        os.kill(os.getpid(), signal.SIGKILL if way == "killed" else signal.SIGSTOP)
    elif way == "ended":
        os._exit(0)  # without TensorFlow's own end
    elif way == "error":
        raise RuntimeError("broken")
    time.sleep(3600)


def say(event: str, **more: object) -> None:
    """A line for the parent."""
    print(json.dumps({"event": event, "at": time.time(), **more}), flush=True)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def trial(way: str, seconds: float, failing: int) -> None:
    """Run two processes, one of which fails, and print what becomes of the other."""
    ports = free_ports(2)
    program = [sys.executable, str(Path(__file__).resolve()), "--worker"]
    started = [
        subprocess.Popen(
            [*program, str(index), json.dumps(ports), way if index == failing else ""],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        )
        for index in range(2)
    ]
    first, second = started[1 - failing], started[failing]
    assert second.stdout is not None
    said = {}
    for line in second.stdout:
        said = json.loads(line)
        if said["event"] == "fails":
            break
    failed = float(said["at"])
    try:
        out, errors = first.communicate(timeout=seconds)
        after, status = time.time() - failed, str(first.returncode)
    except subprocess.TimeoutExpired:
        first.kill()
        out, errors = first.communicate()
        after, status = seconds, "still waiting"
    second.kill()
    second.communicate()
    print(
        f"== process {failing} {way}: status {status}, {after:.1f} s after the failure", flush=True
    )
    for line in out.splitlines():
        event = json.loads(line)
        print("  ", {**event, "at": round(event["at"] - failed, 1)}, flush=True)
    for line in errors.splitlines()[-6:]:
        print("   |", line[:300], flush=True)


def main() -> None:
    """Run the trials that were asked for."""
    if sys.argv[1:2] == ["--worker"]:
        worker(int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="*", help=f"some of {', '.join(WAYS)}", default=WAYS)
    parser.add_argument("--seconds", type=float, default=150, help="longest wait for the other")
    parser.add_argument("--failing", type=int, choices=(0, 1), default=1, help="the process")
    given = parser.parse_args()
    for way in given.ways:
        trial(way, given.seconds, given.failing)


if __name__ == "__main__":
    main()
