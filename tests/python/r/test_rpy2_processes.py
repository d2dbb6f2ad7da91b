"""R functions through rpy2 in forks, and those of another process, or of an R that has ended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.r_processes import said_by

# This process runs no R: its tests run others, which do.
pytest.importorskip("rpy2", reason="rpy2 is not installed")

TRAIN = """
import multiprocessing

def train(when, model=None):
    begun = time.perf_counter()
    try:
        text = str(run(model or new_echo_model(), closure(), 3).history["loss"])
    except fg.SetupError as error:
        text = str(error)
    return f"{when}; {time.perf_counter() - begun:.1f}; {text}"

def in_forks(when, model=None):
    function = lambda *_: rinterface.StrSexpVector([train(f"{when}, R", model)])
    called = rinterface.rternalize(function, signature=False)
    fork = r("function(f) unlist(parallel::mclapply(1:2, function(i) f(i), mc.cores = 2L))")
    print(*fork(called), sep="\\n", flush=True)
    show = lambda: print(train(f"{when}, Python", model), flush=True)
    process = multiprocessing.get_context("fork").Process(target=show)
    process.start()
    process.join(30)

in_forks("before")
model = new_echo_model()
in_forks("after", model)
print(train("here", model))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks here")
def test_U1_forks_of_r_and_python_train_where_they_can_and_are_refused_where_they_would_hang(
    clean_environment: dict[str, str],
) -> None:
    lines = [line.split("; ", 2) for line in said_by(clean_environment, TRAIN)]
    assert [line[0] for line in lines] == [
        *("before, R", "before, R", "before, Python"),
        *("after, R", "after, R", "after, Python", "here"),
    ]
    for when, seconds, text in lines:
        if when.startswith("after"):
            assert float(seconds) < 8
            assert "fork of one in which TensorFlow ran" in text
            assert 'multiprocessing.get_context("spawn")' in text
        else:
            assert text == "[2.0]"


MAKE = """
from fitgenerator.images import ImageDataGenerator
model = linear_model(1)
run(model, make_batches(3, features=1))
draw = r('''local({
    n <- 0
    shift <- 2
    function() { n <<- n + 1; list(matrix(n + shift, 2, 1), c(0, 0)) }
})''')
draw()
halve = ImageDataGenerator(preprocessing_function=r("function(x) x / 2"))
things = {"draw": draw, "halve": halve, "model": model}
"""
DUMP = """
with open({file!r}, "wb") as out:
    pickle.dump(things, out)
"""
LOAD = """
with open({file!r}, "rb") as given:
    things = pickle.load(given)
"""
USE = """
loss = run(new_echo_model(), things["draw"], 3).history["loss"]
mean = float(np.mean(next(things["halve"].flow(np.ones((4, 2, 2, 1))))))
trained = run(things["model"], make_batches(3, features=1)).history["loss"]
print(loss, mean, trained)
"""


def test_U3_functions_and_models_that_came_from_another_process_train(
    clean_environment: dict[str, str], tmp_path: Path
) -> None:
    file = str(tmp_path / "things.pickle")
    here = said_by(clean_environment, MAKE, DUMP.format(file=file), USE)
    assert here[0].startswith("[5.0] 0.5 ")
    assert said_by(clean_environment, LOAD.format(file=file), USE) == here


ENDED = """
model, draw = new_echo_model(), closure()
batches = lambda: iter(make_batches(3, features=1))
rinterface.endr(0)
for generator, validation_data in ((draw, None), (batches(), draw)):
    try:
        run(model, generator, 2, validation_data=validation_data, validation_steps=1)
    except fg.ArgumentError as error:
        print(error.argument, error)
print(run(model, batches(), 2).epoch, flush=True)
os._exit(0)
"""


def test_U3_a_function_of_an_r_that_has_ended_is_refused_by_the_arguments_name(
    clean_environment: dict[str, str],
) -> None:
    generator, validation, without = said_by(clean_environment, ENDED)
    assert generator.startswith("generator `generator` must be a function of an R that runs")
    assert validation.startswith("validation_data `validation_data` must be a function")
    assert without == "[0]"
