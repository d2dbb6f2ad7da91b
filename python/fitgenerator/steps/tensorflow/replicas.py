"""A step on several replicas that is the step of a single device on the whole batch.

Keras divides each replica's loss by the number of replicas, which is right where all of them have
as many rows. Here, a replica's loss counts by its share of what the loss divides by: of the rows,
of the valid elements under a mask, or of the sample weights. A sum is left as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.src.losses import loss as losses
from tensorflow.python.distribute import values as distributed

from ...models.keras_versions import Gradients, Keras3
from .whole_updates import instead

# What metrics have given, by identity: a result, and what gives it of all replicas.
Results = dict[int, tuple[Any, Callable[[], Any]]]
# Whether Keras divides what regularizes activities by the rows: since 3.14.
_DIVIDES = tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 14)
_MEANS = ("mean", "sum_over_batch_size", "mean_with_sample_weight")


class ReplicaStep:
    """A model's step on the replicas of its strategy.

    `one` is the step of one replica, as a function of flat tensors.
    """

    def __init__(self, keras_version: Keras3, one: Callable[..., Any], *, predicts: bool) -> None:
        self._keras_version = keras_version
        self._one = one
        self._predicts = predicts
        replicas = keras_version.replicas
        # Other processes have replicas, too: what is added up goes through the cluster.
        # A prediction is of the own rows alone.
        several = replicas is not None and replicas.cluster is not None
        self._spans = several and not predicts
        self._metrics: dict[str, Callable[[], Any]] = {}  # what the step returns of metrics

    def __call__(self, *tensors: tf.Tensor) -> Any:
        """Run it on the parts of each leaf, one for each replica: the first leaf's come first."""
        strategy = self._keras_version.strategy
        count = len(strategy.extended.worker_devices)  # of this process
        parts = [tensors[i : i + count] for i in range(0, len(tensors), count)]
        rows = [tf.cast(tf.shape(part)[0], "float32") for part in parts[0]]
        shares = rows if self._spans else tuple(own / tf.add_n(rows) for own in rows)
        arguments = tuple(map(distributed.PerReplica, (shares, *parts)))
        activities = nullcontext() if _DIVIDES else _whole_activities()
        with _shared_losses(), activities, _results_of(self._keras_version.model) as results:
            outputs = strategy.run(partial(self._run_replica, results), args=arguments)
        local = strategy.experimental_local_results
        if self._predicts:
            return keras.tree.map_structure(lambda value: tf.concat(local(value), 0), outputs)
        mean = (lambda part: local(part)[0]) if self._spans else lambda p: _mean(local(p), shares)
        return {
            name: self._metrics[name]()
            if name in self._metrics
            else keras.tree.map_structure(mean, value)
            for name, value in outputs.items()
        }

    def _run_replica(self, results: Results, share: tf.Tensor, *leaves: tf.Tensor) -> Any:
        if self._spans:  # it is a number of rows
            share = share / _sum(share)
        with _replica.of(self._keras_version.model, share):
            outputs = self._one(*leaves)
        if not self._predicts:
            # A metric of the model has, in a replica, the result of that replica's rows.
            found = {name: results.get(id(value)) for name, value in outputs.items()}
            self._metrics = {name: result[1] for name, result in found.items() if result}
            if self._spans:
                mean = partial(_mean_of_all, share=share)
                outputs = {
                    name: value if found[name] else keras.tree.map_structure(mean, value)
                    for name, value in outputs.items()
                }
        return outputs


def _mean(values: Sequence[Any], shares: Sequence[tf.Tensor]) -> Any:
    """What a step returns that is no metric: a mean over the rows, as far as it is a number."""
    first = values[0]
    if not (tf.is_tensor(first) and first.dtype.is_floating):
        return first
    return tf.add_n([_times(v, share) for v, share in zip(values, shares, strict=True)])


def _sum(value: tf.Tensor) -> tf.Tensor:
    """The sum over all replicas, in one of them."""
    context = tf.distribute.get_replica_context()
    # An argument of the traced function has no device, which the strategy asks for.
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))


def _mean_of_all(value: Any, share: tf.Tensor) -> Any:
    """The same as `_mean`, in a replica, of those of all processes."""
    if not (tf.is_tensor(value) and value.dtype.is_floating):
        return value
    return _sum(_times(value, share))


def _part_of(result: Callable[[], Any], place: int) -> Any:
    return keras.tree.flatten(result())[place]


@contextmanager
def _results_of(model: Any) -> Iterator[Results]:
    """Context manager: the results that metrics of the model have given."""
    results: Results = {}

    def noting(own: Callable[[], Any]) -> Callable[[], Any]:
        def result() -> Any:
            value = own()
            for place, part in enumerate(keras.tree.flatten(value)):
                results[id(part)] = part, partial(_part_of, own, place)
            return value

        return result

    with ExitStack() as stack:
        for metric in model.metrics:
            stack.enter_context(instead(metric, "result", noting(metric.result)))
        yield results


class _Replica(threading.local):
    """The replica that is traced, or run, on this thread."""

    model: Any = None  # `None`: there is no replica
    share: Any = None  # of the rows
    valid: Any = None  # the number of valid elements, within a masked loss
    reducing = False  # within the reduction of a loss, which is scaled as a whole

    @contextmanager
    def of(self, model: Any, share: tf.Tensor) -> Iterator[None]:
        """Context manager: a replica of the model has such a share of the rows."""
        self.model, self.share = model, share
        try:
            yield
        finally:
            self.model = self.share = None

    def total(self, value: tf.Tensor) -> tf.Tensor:
        """The sum over all replicas. The other replicas' steps run up to here meanwhile.

        They share the model's layers, which hold what was added to the losses of the last call.
        """
        layers = self.model._flatten_layers()
        kept = [(layer, layer._losses[:], layer._loss_ids.copy()) for layer in layers]
        total = _sum(tf.stop_gradient(value))
        for layer, added, known in kept:
            layer._losses[:] = added
            layer._loss_ids.clear()
            layer._loss_ids.update(known)
        return total


_replica = _Replica()


@contextmanager
def _shared_losses() -> Iterator[None]:
    """Context manager: on a replica's thread, Keras's losses count by their shares.

    And an optimizer that scales the loss asks all replicas for infinities.
    """
    own = {place: getattr(*place) for place in _INSTEAD}
    for place, make in _INSTEAD.items():
        setattr(*place, make(own[place]))
    try:
        yield
    finally:  # thread rule 11 (nothing survives the call)
        for place, function in own.items():
            setattr(*place, function)


@contextmanager
def _whole_activities() -> Iterator[None]:
    """Context manager: in a replica, what regularizes activities is not divided by the rows.

    Older versions of Keras add its sum over the rows, of which a share would count too little.
    """

    def get(layer: Any) -> Any:
        own = vars(layer).get("activity_regularizer")
        if own is None or _replica.model is None:
            return own

        def whole(output: Any) -> Any:
            value = own(output)
            return tf.math.divide_no_nan(value, tf.cast(_replica.share, value.dtype))

        return whole

    def put(layer: Any, value: Any) -> None:
        vars(layer)["activity_regularizer"] = value

    keras.layers.Layer.activity_regularizer = property(get, put)
    try:
        yield
    finally:
        del keras.layers.Layer.activity_regularizer


def _reduced_under_mask(own: Callable[..., Any]) -> Callable[..., Any]:
    """`reduce_weighted_values`, which knows the mask."""

    def reduce_weighted_values(
        values: Any, sample_weight: Any = None, mask: Any = None, *args: Any, **named: Any
    ) -> Any:
        if _replica.model is None or mask is None:
            return own(values, sample_weight, mask, *args, **named)
        _replica.valid = tf.reduce_sum(tf.cast(mask, "float32"))
        try:
            return own(values, sample_weight, mask, *args, **named)
        finally:
            _replica.valid = None

    return reduce_weighted_values


def _reduced(own: Callable[..., Any]) -> Callable[..., Any]:
    """`reduce_values`, whose means count by the share of what they divide by."""

    def reduce_values(
        values: Any, sample_weight: Any = None, reduction: str | None = "sum_over_batch_size"
    ) -> Any:
        if _replica.model is None:
            return own(values, sample_weight, reduction)
        _replica.reducing = True
        try:
            loss = own(values, sample_weight, reduction)
        finally:
            _replica.reducing = False
        if reduction not in _MEANS:
            return loss
        divisor = _replica.valid
        if reduction == "mean_with_sample_weight" and sample_weight is not None:
            divisor = tf.reduce_sum(tf.cast(sample_weight, "float32"))
        # Keras leaves a loss of no rows, and one that is a mean already, as they are.
        return _times(tf.reduce_sum(loss), _share_of(divisor))

    return reduce_values


def _share_of(divisor: tf.Tensor | None) -> tf.Tensor:
    """This replica's share of a divisor, or of the rows."""
    if divisor is None:
        return _replica.share
    return tf.math.divide_no_nan(divisor, _replica.total(divisor))


def _scaled(own: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`scale_loss_for_distribution`: what a model adds to its losses counts by the rows."""

    def scale_loss_for_distribution(value: Any) -> Any:
        if _replica.model is None:
            return own(value)
        return value if _replica.reducing else _times(value, _replica.share)

    return scale_loss_for_distribution


def _unscaled(own: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`unscale_loss_for_distribution`, of what metrics show: the whole batch's loss.

    Each replica's metric takes it, with a weight that depends on the version of Keras: that of the
    replica's rows, or 1. The mean of equal numbers is right with both.
    """

    def unscale_loss_for_distribution(value: Any) -> Any:
        return own(value) if _replica.model is None else _replica.total(value)

    return unscale_loss_for_distribution


def _finite_in_all(own: Callable[..., Any]) -> Callable[..., Any]:
    """`check_finite` of an optimizer that scales the loss, for the gradients of all replicas.

    Keras asks one of them, where the gradients are not added up yet: the others would then add what
    is not finite to the weights.
    """

    def check_finite(optimizer: Any, gradients: Gradients) -> Any:
        finite = own(optimizer, gradients)
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return finite
        return tf.equal(_sum(tf.cast(tf.logical_not(finite), "float32")), 0.0)

    return check_finite


def _times(loss: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """The product; 0 where the share is 0, for the mean of no rows is no number."""
    return tf.math.multiply_no_nan(loss, tf.cast(tf.stop_gradient(share), loss.dtype))


_INSTEAD: dict[tuple[Any, str], Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    (losses, "reduce_weighted_values"): _reduced_under_mask,
    (losses, "reduce_values"): _reduced,
    (losses, "scale_loss_for_distribution"): _scaled,
    (losses, "unscale_loss_for_distribution"): _unscaled,
    (keras.optimizers.LossScaleOptimizer, "check_finite"): _finite_in_all,
}
