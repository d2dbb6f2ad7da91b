"""R functions through rpy2 as preprocessing functions of image flows: run on the main thread."""

from __future__ import annotations

import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fitgenerator import (
    ArgumentError,
    ArgumentTypeError,
    GeneratorTimeoutError,
    evaluate_generator,
    predict_generator,
)
from fitgenerator.images import ImageDataGenerator
from support.pictures import flat, mean_model, photos, write_classes
from support.r_code import RRuntimeError, r
from support.r_processes import said_by
from support.tiny_trainings import at_epoch_end, notes_of, run

WORKERS = [0, 1, 2]
NOISE = "function(x) x + array(runif(length(x)), dim(x))"

pytestmark = pytest.mark.usefixtures("quietly")


def moving(code: str | None = None, **given: Any) -> Any:
    """A generator that turns images, and calls an R function with each."""
    function = None if code is None else r(code)
    return ImageDataGenerator(rotation_range=90, preprocessing_function=function, **given)


def flow_of(generator: Any, count: int = 10, **given: Any) -> Any:
    """A flow of batches of 3, of one seed."""
    return generator.flow(photos(count), np.zeros(count), **{"batch_size": 3, "seed": 5, **given})


@pytest.mark.parametrize("workers", WORKERS)
def test_L3_an_r_function_is_the_same_as_the_flows_own_scaling(workers: int) -> None:
    """In fit, with validation, evaluate and predict; called once for each image."""
    r("calls <- 0")
    scale = "function(x) { calls <<- calls + 1; stopifnot(is.double(x)); x / 255 }"

    def results(generator: Any) -> list[Any]:
        history = run(
            mean_model(),
            flow_of(generator),
            epochs=2,
            workers=workers,
            validation_data=flow_of(generator, 4),
        )
        ordered = flow_of(generator, shuffle=False)
        scores = evaluate_generator(mean_model(), flow_of(generator), workers=workers)
        predicted = predict_generator(mean_model(), ordered, workers=workers)
        return [*history.history.values(), scores, predicted.ravel()]

    for made, wanted in zip(results(moving(scale)), results(moving(rescale=1 / 255)), strict=True):
        np.testing.assert_allclose(made, wanted, rtol=1e-5)
    assert r("calls")[0] == 2 * 10 + 2 * 4 + 10 + 10


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_without_a_training_the_calling_thread_runs_it(data_format: str, dtype: str) -> None:
    """By index, one after the other, and on single images; each element in its place."""
    images = photos(5, 12, 8)
    if data_format == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    given = {"data_format": data_format, "dtype": dtype, "width_shift_range": 3}
    theirs = ImageDataGenerator(**given, preprocessing_function=r("function(x) x[] / 2"))
    ours = ImageDataGenerator(**given, preprocessing_function=lambda x: x / 2)
    flows = [g.flow(images, batch_size=3, seed=2) for g in (theirs, ours)]
    np.testing.assert_array_equal(flows[0][1], flows[1][1])
    np.testing.assert_array_equal(next(flows[0]), next(flows[1]))
    image = images[0].astype("float64")
    np.testing.assert_array_equal(theirs.standardize(image.copy()), image / 2)
    assert theirs.random_transform(image, seed=1).shape == image.shape
    assert "preprocessing_function" in repr(theirs)


def test_one_seed_gives_one_set_of_pictures_for_any_number_of_workers() -> None:
    """The function's random numbers follow from the flow's seed, and R's own stay as they are."""
    generator = moving(NOISE)

    def losses(workers: int, seed: int) -> Any:
        flow = flow_of(generator, seed=seed)
        return run(mean_model(), flow, epochs=2, workers=workers).history["loss"]

    r("set.seed(4)")
    before = list(r(".Random.seed"))
    wanted = losses(1, 5)
    assert wanted == losses(0, 5) == losses(2, 5) != losses(2, 6)
    np.testing.assert_array_equal(next(flow_of(generator))[0], flow_of(generator)[0][0])
    assert list(r(".Random.seed")) == before
    image = np.zeros((2, 2, 1))
    assert (generator.standardize(image.copy()) != generator.standardize(image.copy())).all()


@pytest.mark.parametrize("workers", WORKERS)
def test_E1_an_error_in_it_reaches_the_caller_with_the_file_and_the_batch(
    workers: int, tmp_path: Path
) -> None:
    """It is rpy2's own exception; the next call works."""
    write_classes(tmp_path, a=8)
    generator = ImageDataGenerator(
        preprocessing_function=r("function(x) if (x[1, 1, 1] == fatal) stop('no five') else x")
    )
    given: dict[str, Any] = {"batch_size": 2, "shuffle": False, "class_mode": "sparse"}
    flow = generator.flow_from_directory(tmp_path, (8, 8), on_error="skip", **given)
    r("fatal <- 5")
    with pytest.raises(RRuntimeError, match="no five") as caught:
        run(mean_model(), flow, workers=workers)
    notes = notes_of(caught.value)
    assert f"While the file {tmp_path}/a/005.png was processed." in notes
    assert "While batch 3 of `generator` was made." in notes
    with pytest.raises(RRuntimeError, match="no five") as caught:
        flow[2]
    assert "005.png" in notes_of(caught.value)
    r("fatal <- -1")
    assert len(run(mean_model(), flow, workers=workers).epoch) == 1


@pytest.mark.parametrize("code", ["function(x) x[, 1, ]", "function(x) 'text'"])
def test_what_is_no_image_of_that_shape_is_refused_in_words(code: str) -> None:
    """The same here and in a training."""
    flow = flow_of(moving(code), 4)
    text = "must return an image, numbers with the dimensions of its argument, 24 x 24 x 3, not "
    with pytest.raises(ArgumentError, match=text):
        next(flow)
    with pytest.raises(ArgumentError, match=text) as caught:
        run(mean_model(), flow, workers=2)
    assert "image" in notes_of(caught.value)


@pytest.mark.parametrize("act", ["Sys.sleep(60)", "repeat sqrt(2)", "system('sleep 1')"])
@pytest.mark.parametrize("workers", [0, 2])
def test_A7_one_that_takes_too_long_is_stopped(act: str, workers: int) -> None:
    """No KeyboardInterrupt comes of it; the next call works."""
    r("calls <- 0")
    code = f"function(x) {{ calls <<- calls + 1; if (calls == 2) {act}; x }}"
    flow = flow_of(moving(code))
    with pytest.raises(GeneratorTimeoutError, match=r"no batch 1 within|did not return"):
        run(mean_model(), flow, workers=workers, timeout=0.3)
    assert len(run(mean_model(), flow, workers=workers, timeout=30).epoch) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_L4_a_generator_may_draw_from_flows_with_r_functions(workers: int) -> None:
    """Nothing tells that it does; a callback may as well, and may train on one meanwhile."""
    flows = [flow_of(moving(f"function(x) x * 0 + {value}")) for value in (1, 3)]
    seen: list[float] = []

    def again(epoch: int) -> None:
        seen.append(float(next(flows[0])[0].mean()))
        seen.extend(run(mean_model.__wrapped__(), flows[1], workers=1).history["loss"])

    def pairs() -> Any:
        while True:
            (x, y), (other, _) = next(flows[0]), next(flows[1])
            yield x[: len(other)] + other[: len(x)], y[: min(len(x), len(other))]

    history = run(mean_model(), pairs(), 20, callbacks=[at_epoch_end(again)], workers=workers)
    np.testing.assert_allclose(history.history["loss"], 4, rtol=1e-5)
    np.testing.assert_allclose(seen, [1, 3], rtol=1e-5)


def test_on_another_thread_it_is_refused_in_words() -> None:
    """R has one thread, which must be asked."""
    generator = moving(NOISE)
    with ThreadPoolExecutor(1) as pool:
        for call in (
            lambda: next(flow_of(generator)),
            lambda: run(mean_model(), flow_of(generator)),
        ):
            with pytest.raises(ArgumentError, match="only Python's main thread can run"):
                pool.submit(call).result()
        function = r(NOISE)
        with pytest.raises(ArgumentError, match="main thread"):
            pool.submit(ImageDataGenerator, preprocessing_function=function).result()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("function() 1", "not one without arguments"),
        ("function(x, by) x", "not one that also needs `by`"),
        ("c(1, 2)", "not a FloatVector"),
    ],
)
def test_what_is_no_function_of_one_image_is_refused_at_once(code: str, text: str) -> None:
    """Functions that need no more than that are taken, R's own too."""
    with pytest.raises(ArgumentTypeError, match=text):
        moving(code)
    root = ImageDataGenerator(preprocessing_function=r("sqrt"))
    assert next(root.flow(flat(9)[None]))[0, 0, 0, 0] == 3


def test_F2_ctrl_c_in_it_comes_out_at_once_and_it_goes_on_after(
    clean_environment: dict[str, str],
) -> None:
    """In a training, and without one."""
    script = textwrap.dedent(
        """
        import os, tempfile, threading, time
        import keras, numpy as np, rpy2.robjects as ro
        import fitgenerator as fg
        from support.platforms import press_ctrl_c
        from fitgenerator.images import ImageDataGenerator
        model = keras.Sequential([keras.layers.Input((4, 4, 1)), keras.layers.Flatten(),
                                  keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        stuck = tempfile.mktemp()

        def interrupt():
            while not os.path.exists(stuck):
                time.sleep(0.1)
            os.unlink(stuck)
            time.sleep(0.3)
            press_ctrl_c()

        for body in ("Sys.sleep(60)", "repeat n <- 1"):
            hold = ro.r("n <- 0; function(x) { n <<- n + 1; "
                        "if (n > 6) { file.create('%s'); %s }; x }" % (stuck, body))
            flow = ImageDataGenerator(preprocessing_function=hold).flow(
                np.zeros((8, 4, 4, 1)), np.zeros(8), batch_size=2)
            for call in (lambda: fg.fit_generator(model, flow, epochs=9, verbose=0, workers=2),
                         lambda: [next(flow) for _ in range(9)]):
                ro.r("n <- 0")
                thread = threading.Thread(target=interrupt)
                thread.start()
                begun = time.perf_counter()
                try:
                    call()
                except KeyboardInterrupt:
                    print("interrupted", time.perf_counter() - begun < 20)
                thread.join()
                ro.r("n <- -100")
                ok = fg.fit_generator(model, flow, verbose=0)
                print("again", ok.epoch, [t.name for t in threading.enumerate() if "fit" in t.name])
        """
    )
    said = said_by(clean_environment, script)
    assert said == ["interrupted True", "again [0] []"] * 4
