"""The processes of a `MultiWorkerMirroredStrategy`, as TensorFlow lets them reach each other."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import multi_worker_util
from tensorflow.python.eager import context

from ..protocol import Cluster

_JOBS = ("chief", "worker")  # in the order in which TensorFlow counts them
_ANSWER = 10_000  # milliseconds that a process has to answer in


class TensorFlowCluster(Cluster):
    """The processes of a strategy, which are those of TF_CONFIG."""

    def __init__(self, strategy: Any) -> None:
        resolver = strategy.cluster_resolver
        spec = resolver.cluster_spec()
        task = (resolver.task_type, resolver.task_id)
        self.index = multi_worker_util.id_in_cluster(spec, *task)
        jobs = [job for job in _JOBS if job in spec.jobs]
        self._tasks = [(job, i) for job in jobs for i in range(spec.num_tasks(job))]
        self.names = tuple(spec.task_address(*task) for task in self._tasks)

    def publish(self, key: str, value: str) -> None:
        context.context().delete_config_key_value(key)
        context.context().set_config_key_value(key, value)

    def look_up(self, key: str, seconds: float) -> str | None:
        try:
            return str(context.context().get_config_key_value(key, int(1000 * seconds)))
        except (tf.errors.DeadlineExceededError, tf.errors.NotFoundError):
            return None

    def lives(self, index: int) -> bool:
        job, number = self._tasks[index]
        task = f"/job:{job}/replica:0/task:{number}"
        try:
            context.context().check_collective_ops_peer_health(task, timeout_in_ms=_ANSWER)
        except tf.errors.OpError:
            return False
        return True

    def abort(self, text: str) -> None:
        context.context().abort_collective_ops(tf.errors.UNAVAILABLE, text)

    def is_of_peers(self, error: BaseException) -> bool:
        return isinstance(error, tf.errors.OpError) and "ollective" in str(error)


def cluster_of(strategy: Any) -> Cluster | None:
    """The cluster of a strategy, where it has several processes."""
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    cluster = TensorFlowCluster(strategy) if several and strategy.cluster_resolver else None
    return None if cluster is None or len(cluster.names) < 2 else cluster
