"""R functions through rpy2: pulled in the background, served on the main thread."""

from __future__ import annotations

import subprocess
import textwrap
import threading
import warnings
from pathlib import Path
from typing import Any

import fitgenerator as fg
import keras
import numpy as np
import pytest
import tensorflow as tf
from support.r_code import RRuntimeError, closure, r
from support.r_processes import said_by

NUMBERS = "n <- 0; function() { n <<- n + 1; x <- matrix(n, 2, 3); list(x, rep(n, 2)) }"
NOISE = "function() { x <- matrix(rnorm(12), 4); list(x, rowSums(x)) }"


def linear_model(width: int = 3) -> Any:
    """A model of one weight per input, all 0."""
    inputs = keras.layers.Input((width,))
    outputs = keras.layers.Dense(1, kernel_initializer="zeros")(inputs)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    return model


def predictor(width: int = 3) -> Any:
    """A model that adds its inputs."""
    model = linear_model(width)
    model.layers[-1].set_weights([np.ones((width, 1)), np.zeros(1)])
    return model


def test_T20_a_list_reaches_a_step_of_the_models_own_as_a_tuple_a_named_list_as_a_dict() -> None:
    seen: list[Any] = []

    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            seen.append(keras.tree.map_structure(lambda x: x is not None and len(x.shape), data))
            return {"sum": tf.reduce_sum(tf.cast(tf.nest.flatten(data)[0], "float32"))}

        test_step = predict_step = train_step

    model = Own([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd")
    for code, form in {
        "list(matrix(1, 2, 3))": (2,),
        "list(matrix(1, 2, 3), NULL)": (2, False),
        "list(matrix(1, 2, 3), 1:2, list(a = 1))": (2, 1, {"a": 1}),
        "list(a = matrix(1, 2, 3), b = list())": {"a": 2, "b": ()},
        "matrix(1, 2, 3)": 2,
    }.items():
        generator = closure(f"function() {code}")
        assert fg.fit_generator(model, generator, 2, verbose=0).history == {"sum": [6.0]}
        assert fg.evaluate_generator(model, generator, 1) == 6.0
        assert seen == [form] * len(seen)
        seen.clear()
        model.compile("sgd")


@pytest.mark.parametrize(
    "batch", ["list(x)", "list(x, NULL)", "list(x, list())", "x", "list(x, NULL, NULL)"]
)
def test_T20_targets_may_be_missing_where_there_is_no_loss(batch: str) -> None:
    class Penalty(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(tf.reduce_mean(x**2))
            return x

    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1), Penalty()])
    generator = closure(f"function() {{ x <- matrix(1, 2, 3); {batch} }}")
    model.compile("sgd")
    given = {"validation_data": generator, "validation_steps": 1, "verbose": 0}
    assert fg.fit_generator(model, generator, 2, **given).history["val_loss"][0] > 0
    model.compile("sgd", "mse")
    with pytest.raises(fg.BatchError, match="compiled without a loss needs no targets"):
        fg.fit_generator(model, generator, 2, verbose=0)


def test_trains_as_fit_does_on_the_same_batches(queue: int) -> None:
    """An R closure's batches give the history that Keras gives."""
    history = fg.fit_generator(
        linear_model(), closure(NUMBERS), 4, epochs=2, verbose=0, max_queue_size=queue
    )
    batches = ((np.full((2, 3), n, "float32"), np.full(2, n, "float32")) for n in range(1, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = linear_model().fit(batches, steps_per_epoch=4, epochs=2, verbose=0)
    assert history.history == wanted.history


def test_C1_pulls_exactly_what_it_needs_and_goes_on_with_the_next_batch() -> None:
    """The next call begins at the next batch."""
    draw = closure(NUMBERS)
    fg.fit_generator(linear_model(), draw, 3, epochs=2, verbose=0)
    rows = fg.predict_generator(predictor(), draw, 2)
    assert rows.ravel().tolist() == [21.0, 21.0, 24.0, 24.0]


def test_predicts_from_inputs_alone() -> None:
    """A bare matrix is inputs, and a data frame a matrix."""
    assert fg.predict_generator(predictor(), closure("function() matrix(1:6, 2)"), 1).shape == (
        2,
        1,
    )
    frame = closure("function() data.frame(a = 1:2, b = 3:4, c = 5:6)")
    assert fg.predict_generator(predictor(), frame, 1).ravel().tolist() == [9.0, 12.0]


def test_T22_a_list_named_x_and_y_is_a_batch_unless_the_inputs_have_these_names() -> None:
    """As in training; the model's names decide."""
    named = closure("function() list(x = matrix(1:6, 2), y = c(0, 0))")
    assert fg.predict_generator(predictor(), named, 1).ravel().tolist() == [9.0, 12.0]
    assert fg.evaluate_generator(predictor(), named, 1) > 0
    inputs = {name: keras.Input((1,), name=name) for name in ("x", "y")}
    model = keras.Model(inputs, keras.layers.Subtract()(list(inputs.values())))
    apart = closure("function() list(x = matrix(c(5, 7)), y = matrix(c(1, 1)))")
    assert fg.predict_generator(model, apart, 1).ravel().tolist() == [4.0, 6.0]


def test_arrays_arrive_with_every_element_in_its_place() -> None:
    """`x[i, j, k, l]` in R is `x[i, j, k, l]` here, and each R type has its dtype."""
    seen: list[Any] = []

    class Keep(keras.Model):
        def predict_step(self, data: Any) -> Any:
            seen.append(keras.tree.map_structure(lambda t: t.dtype.name, data[0]))
            return data[0]["x"]

    code = """function() list(list(
        x = array(as.numeric(1:120), c(2, 3, 4, 5)), i = 1:2, l = c(TRUE, FALSE),
        r = as.raw(1:2), s = c("a", "b"), f = factor(c("u", "v"))))"""
    rows = fg.predict_generator(Keep(), closure(code), 1)
    assert rows.tolist() == np.arange(1.0, 121).reshape(2, 3, 4, 5, order="F").tolist()
    dtypes = {"x": "float32", "i": "int32", "l": "bool", "r": "uint8", "s": "string", "f": "int32"}
    assert seen[0] == dtypes


def test_a_sparse_matrix_is_its_dense_self() -> None:
    """A `dgCMatrix` gives the predictions of the matrix."""
    code = "function() Matrix::sparseMatrix(i = c(1, 3), j = c(2, 3), x = c(5, 7), dims = c(3, 3))"
    rows = fg.predict_generator(predictor(), closure(code), 1)
    assert rows.ravel().tolist() == [5.0, 0.0, 7.0]


def test_one_seed_gives_one_history_whatever_the_queue() -> None:
    """Training and validation closures own their streams; the session's is left in its place."""
    results = []
    for size in (0, 1, 10):
        r("set.seed(3)")
        history = fg.fit_generator(
            linear_model(),
            closure(NOISE),
            5,
            epochs=2,
            verbose=0,
            validation_data=closure(NOISE),
            validation_steps=2,
            max_queue_size=size,
        )
        results.append((history.history, list(r(".Random.seed"))))
    assert results[0] == results[1] == results[2]
    r("set.seed(3)")
    for _ in range(10):
        closure(NOISE)()
    assert results[0][1] == list(r(".Random.seed"))


def test_T11_the_second_number_of_box_muller_stays_in_its_batch() -> None:
    """Of three numbers a batch, a fourth is left: it is not the first of the next draw."""

    def drawn(size: int, calls: int = 1, **options: Any) -> tuple[list[float], float]:
        r("set.seed(1)")
        model, draw = linear_model(), closure("function() list(matrix(rnorm(3), 1), 1)")
        options = {"verbose": 0, "max_queue_size": size, **options}
        runs = [fg.fit_generator(model, draw, 6, 2 // calls, **options) for _ in range(calls)]
        return [loss for run in runs for loss in run.history["loss"]], r("rnorm(1)")[0]

    r("RNGkind('Mersenne-Twister', 'Box-Muller')")
    try:
        alone = drawn(0)
        for size in (1, 3, 10):
            assert drawn(size) == alone
        assert drawn(10, calls=2)[0] == alone[0]
        unseen = {"validation_data": closure("function() list(matrix(rnorm(3), 1), 1)")}
        both = [drawn(size, **unseen, validation_steps=3) for size in (0, 1, 10)]
        assert both[0] == both[1] == both[2]
    finally:
        r("RNGkind('default', 'default', 'default')")


def test_one_function_for_both_is_read_by_one_reader() -> None:
    """An epoch's training batches, then its validation batches."""
    draw = closure(NUMBERS)
    model = predictor()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    history = fg.fit_generator(
        model, draw, 2, epochs=2, verbose=0, validation_data=draw, validation_steps=1
    )
    squares = [[4 * n * n for n in part] for part in ((1, 2), (3,), (4, 5), (6,))]
    means = [sum(part) / len(part) for part in squares]
    assert history.history == {"loss": [means[0], means[2]], "val_loss": [means[1], means[3]]}


@pytest.mark.parametrize("call", ["fit", "validation", "evaluate", "predict"])
def test_E1_an_error_in_r_reaches_the_caller_with_its_text_and_batch(call: str, queue: int) -> None:
    """It is rpy2's own exception, delivered when training reaches the batch."""
    code = """function() {
        n <<- n + 1
        if (n == 3) stop("no more")
        list(matrix(n, 2, 3), c(1, 2))
    }"""
    model, draw, good = linear_model(), closure(f"n <<- 0; {code}"), closure(NUMBERS)
    options = {"max_queue_size": queue, "verbose": 0}
    unseen = {"validation_data": draw, "validation_steps": 5}
    calls = {
        "fit": lambda: fg.fit_generator(model, draw, 5, **options),
        "validation": lambda: fg.fit_generator(model, good, 5, **unseen, **options),
        "evaluate": lambda: fg.evaluate_generator(model, draw, 5, **options),
        "predict": lambda: fg.predict_generator(model, draw, 5, **options),
    }
    with pytest.raises(RRuntimeError, match="no more") as caught:
        calls[call]()
    argument = "validation_data" if call == "validation" else "generator"
    assert caught.value.__notes__ == [f"While batch 3 of `{argument}` was made."]
    assert r("n")[0] == 3  # it is not called again
    assert fg.fit_generator(model, good, 2, **options).epoch == [0]


def test_C2_a_closure_that_ends_stops_training_with_a_warning() -> None:
    """`NULL` is the end."""
    code = "n <- 0; function() { n <<- n + 1; if (n < 4) list(matrix(n, 2, 3), c(1, 2)) }"
    with pytest.warns(fg.EndedEarlyWarning, match=r"10 batches were wanted, 3 came"):
        history = fg.fit_generator(linear_model(), closure(code), 10, verbose=0)
    assert history.incomplete


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("function() matrix(1, 2, 3)", "expected list\\(inputs, targets\\)"),
        ("function() list(matrix(1, 2, 3), 1:3)", "2 in inputs .* 3 in targets"),
        ("function() list(mean, 1)", "element 1 \\(inputs\\) is a function"),
        ("function() list(NULL, 1)", "NULL"),
    ],
)
def test_E2_what_is_no_batch_is_refused_in_words(code: str, text: str) -> None:
    """The message says what came; the weights stay."""
    model = linear_model()
    with pytest.raises(fg.BatchError, match=text) as caught:
        fg.fit_generator(model, closure(code), 2, verbose=0)
    assert len(str(caught.value)) < 2000
    assert not np.any(model.layers[-1].get_weights()[0])


def test_a_function_with_required_arguments_is_refused() -> None:
    """Before anything is pulled."""
    with pytest.raises(fg.ArgumentError, match="needs `i`; wrap it"):
        fg.fit_generator(linear_model(), closure("function(i, j = 1) i"), 2, verbose=0)


def test_off_the_main_thread_it_is_refused() -> None:
    """R takes its interrupts on the main thread only."""
    caught: list[BaseException] = []

    def train() -> None:
        try:
            fg.fit_generator(linear_model(), draw, 2, verbose=0)
        except fg.ArgumentError as error:
            caught.append(error)

    draw = closure(NUMBERS)
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def test_callbacks_and_tracing_stay_on_the_main_thread() -> None:
    """Whatever is the user's runs on the thread that called."""
    threads = set()

    def loss(y: Any, p: Any) -> Any:
        threads.add(threading.current_thread())
        return tf.reduce_mean(tf.square(y - p))

    def note(*_: Any) -> None:
        threads.add(threading.current_thread())

    model = linear_model()
    model.compile("sgd", loss)
    hooks = keras.callbacks.LambdaCallback(on_epoch_end=note, on_train_batch_begin=note)
    fg.fit_generator(model, closure(NUMBERS), 3, verbose=0, callbacks=[hooks])
    assert threads == {threading.main_thread()}


def test_F2_ctrl_c_in_a_long_closure_comes_out_at_once_and_training_goes_on_after(
    clean_environment: dict[str, str],
) -> None:
    """Also while R computes, and while it sleeps; the process exits."""
    script = textwrap.dedent(
        """
        import threading, time
        import keras, numpy as np, rpy2.robjects as ro
        import fitgenerator as fg
        from support.platforms import press_ctrl_c
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")

        def interrupt():  # in the closure's seventh call
            while True:
                time.sleep(0.3)
                history = fg.last_history()
                if history and history.params.get("epochs") == 9 and len(history.epoch) == 2:
                    return press_ctrl_c()

        for body in ("Sys.sleep(60)", "repeat n <- 1"):
            draw = ro.r("n <- 0; function() { n <<- n + 1; if (n > 6) %s; "
                        "list(matrix(n, 2, 3), c(1, 2)) }" % body)
            thread = threading.Thread(target=interrupt)
            thread.start()
            begun = time.perf_counter()
            try:
                fg.fit_generator(model, draw, 2, epochs=9, verbose=0, max_queue_size=1)
            except KeyboardInterrupt:
                print("interrupted", time.perf_counter() - begun < 20, fg.last_history().epoch)
            thread.join()
            quick = ro.r("function() list(matrix(1, 2, 3), 1:2)")
            ok = fg.fit_generator(model, quick, 2, verbose=0)
            print("again", ok.epoch, [t.name for t in threading.enumerate() if "fit" in t.name])
        """
    )
    said = said_by(clean_environment, script)
    assert said == ["interrupted True [0, 1]", "again [0] []"] * 2


STUCK = "n <- 0; function() {{ n <<- n + 1; if (n == 3) {}; list(matrix(1, 2, 3), 1:2) }}"


@pytest.mark.parametrize("act", ["Sys.sleep(60)", "repeat sqrt(2)", "system('sleep 1')"])
def test_a_closure_that_takes_too_long_is_stopped(act: str, queue: int) -> None:
    """Where the timeout comes from Python, no KeyboardInterrupt does."""
    model = linear_model()
    with pytest.raises(fg.GeneratorTimeoutError, match="`generator` gave no batch 3 within"):
        fg.fit_generator(
            model, closure(STUCK.format(act)), 5, verbose=0, timeout=0.3, max_queue_size=queue
        )
    assert model.optimizer.iterations.numpy() == 2
    history = fg.fit_generator(model, closure(NUMBERS), 4, verbose=0, timeout=30)
    assert len(history.epoch) == 1


def test_an_array_that_compiled_code_fills_again_has_the_values_that_it_was_returned_with(
    tmp_path: Path,
) -> None:
    (tmp_path / "fill_again.c").write_text(
        "#include <Rinternals.h>\nSEXP fill_again(SEXP x, SEXP v) {\n"
        "for (R_xlen_t i = 0; i < XLENGTH(x); i++) REAL(x)[i] = Rf_asReal(v);\nreturn x; }\n"
    )
    program = Path(str(r("R.home('bin')")[0])) / "R"
    command = [program, "CMD", "SHLIB", "fill_again.c"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    r["dyn.load"](str(next(tmp_path.glob("fill_again.[sd][ol]*"))))
    refilled = (
        "n <- 0; x <- matrix(0, 2, 3); function() "
        "{ n <<- n + 1; .Call('fill_again', x, n); list(x, c(0, 0)) }"
    )
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation("linear")])
    made = fg.predict_generator(model, closure(refilled), 30)
    assert made[::2, 0].tolist() == list(range(1, 31))
