"""`python -m fitgenerator`: the doctor, and what is said where Keras is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from unittest import mock

import fitgenerator
import pytest
from fitgenerator import doctor
from fitgenerator.__main__ import main

ROOT = Path(__file__).parents[2]


def run_python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
        check=False,
    )


def test_help_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "doctor" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    with pytest.raises(SystemExit) as end:
        main(["nurse"])
    assert end.value.code == 2


def test_the_doctor_shows_versions_and_devices(clean_environment: dict[str, str]) -> None:
    done = run_python(clean_environment, "-m", "fitgenerator", "doctor")
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert f"fitgenerator {fitgenerator.__version__}" in said
    for name in ("Python", "NumPy", "TensorFlow", "Keras", "Devices", "rpy2", "R", "reticulate"):
        assert f"  {name} " in said
    assert metadata.version("keras") in said
    assert "CPU:0" in said
    assert "All that is needed is there." in said


def test_what_is_missing_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"numpy": "2.0", "tensorflow-cpu": "2.4.1", "matplotlib": "3"}
    found = lambda *names: next((versions[n] for n in names if n in versions), None)  # noqa: E731
    monkeypatch.setattr(doctor, "version_of", found)
    monkeypatch.setattr(doctor, "_ask_r", lambda: None)
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    findings = doctor.examine()
    assert not doctor.works(findings)
    said = "\n".join(doctor.lines(findings))
    assert "! TensorFlow       2.4.1 is too old" in said
    assert f'{sys.executable} -m pip install "tensorflow>=2.16"' in said
    assert "! Keras            is not installed" in said
    assert "openvino is not supported" in said
    assert "set the variable KERAS_BACKEND=tensorflow, =jax or =torch" in said
    assert "- tf_keras         not installed (models of Keras 2)" in said
    assert "- R                not found" in said
    assert "All that is needed" not in said
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert main(["doctor"]) == 1


@pytest.mark.parametrize(("backend", "title"), [("jax", "JAX"), ("torch", "PyTorch")])
def test_the_backend_is_what_is_needed(
    backend: str, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda *names: None if backend in names else "99")
    monkeypatch.setattr(doctor, "_ask_r", lambda: None)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    said = "\n".join(doctor.lines(doctor.examine()))
    assert f"! {title} " in said
    assert f'{sys.executable} -m pip install "{doctor._NEEDED[backend]}"' in said
    assert "TensorFlow" not in said
    assert "DataLoaders" not in said or backend != "torch"
    assert f"  Keras's backend  {backend}" in said


def test_the_backend_is_also_read_from_keras_s_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert doctor._configured_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert doctor._configured_backend() == "torch"


def test_an_old_reticulate_is_shown_and_versions_are_compared_as_numbers() -> None:
    (r, reticulate) = doctor._r({"version": "4.2.2", "home": "/r", "reticulate": "1.28"})
    assert (r.state, reticulate.state) == ("ok", "optional")
    assert doctor.older("3.9.1", "3.10")
    assert not doctor.older("3.10", "3.10")


def test_without_keras_the_package_says_what_to_install(
    clean_environment: dict[str, str], tmp_path: Path
) -> None:
    code = "import sys; sys.modules['keras'] = None; import fitgenerator; fitgenerator.History"
    done = run_python(clean_environment, "-c", code)
    assert "SetupError: `keras` is missing" in done.stderr
    assert '-m pip install "keras>=3.7"' in done.stderr
    code = code.replace("; fitgenerator.History", "; from fitgenerator import doctor; print(1)")
    assert run_python(clean_environment, "-c", code).stdout == "1\n"


# A TensorFlow that is installed and does not load: what its own package says then, and a mend.
FAULTS = {
    "ImportError: DLL load failed while importing _pywrap: not found": "Visual C++ runtime",
    "ImportError: /lib/libm.so.6: version `GLIBC_2.38' not found": "older version of the package",
    "OSError: libcudart.so.12: cannot open shared object file": "named library",
    "AttributeError: _ARRAY_API not found": "another NumPy",
    "RuntimeError: something else": "--force-reinstall",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_O10_a_tensorflow_that_does_not_load_is_reported_with_its_mend(
    clean_environment: dict[str, str], tmp_path: Path, fault: str
) -> None:
    kind, _, text = fault.partition(": ")
    traceback = f"Traceback (most recent call last):\\n  File x\\n{fault}\\n\\nSee the page."
    said = traceback if kind == "ImportError" else text
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(f'raise {kind}("{said}")\n')
    path = os.pathsep.join([str(tmp_path), clean_environment.get("PYTHONPATH", "")])
    environment = {**clean_environment, "PYTHONPATH": path}
    done = run_python(environment, "-m", "fitgenerator", "doctor")
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if "does not load" in line)
    assert line.startswith("! TensorFlow")
    assert text in line
    assert FAULTS[fault] in done.stdout
    code = "import fitgenerator; fitgenerator.fit_generator"
    refused = run_python(environment, "-c", code).stderr
    assert "SetupError: `tensorflow` is installed, but does not load: " in refused
    assert text in refused
    assert FAULTS[fault] in refused


def test_O9_r_is_also_found_where_r_home_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("R_HOME", raising=False)
    assert doctor._ask_r() is None
    (finding,) = doctor._r(None)
    assert "PATH" in finding.found
    assert "R_HOME" in finding.found
    assert "PATH" in finding.mend
    monkeypatch.setenv("R_HOME", str(tmp_path))
    assert doctor._ask_r() is None
    asked: list[list[str]] = []
    monkeypatch.setattr(
        doctor, "_output", lambda command: (asked.append(command), ("4.5.0\n/r\n1.41", ""))[1]
    )
    where = {str(tmp_path / "bin"): "/r/bin/Rscript"}
    monkeypatch.setattr(doctor.shutil, "which", lambda _, path=None: where.get(path))
    assert doctor._ask_r() == {"version": "4.5.0", "home": "/r", "reticulate": "1.41"}
    assert asked[0][0] == "/r/bin/Rscript"


def test_O9_a_child_has_no_input_and_on_windows_no_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 8, raising=False)
    run = mock.Mock(side_effect=OSError("no"))
    monkeypatch.setattr(subprocess, "run", run)
    assert doctor._output(["x"]) == (None, "no")
    options = run.call_args.kwargs
    assert (options["stdin"], options["creationflags"]) == (subprocess.DEVNULL, 8)


def test_O7_the_least_versions_are_those_that_intel_macs_have() -> None:
    assert not doctor.older("2.16.2", doctor.TENSORFLOW)
    assert not doctor.older("3.12", doctor.PYTHON)


def test_O4_commands_can_be_pasted_into_every_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "C:\\Program Files\\python.exe")
    assert doctor.pip("keras>=3.7") == (
        '"C:\\Program Files\\python.exe" -m pip install "keras>=3.7"'
    )
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert doctor.pip("tf_keras", "b") == "/usr/bin/python3 -m pip install tf_keras b"


def test_O4_where_reticulate_has_made_python_r_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "builtin_module_names", ("rpycall",))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert doctor.pip("keras>=3.7", "b") == 'reticulate::py_require(c("keras>=3.7", "b"))'


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("pyproject.toml", 'dependencies = ["keras>={keras}"'),
        ("pyproject.toml", 'tensorflow = ["tensorflow>={tensorflow}"]'),
        ("pyproject.toml", 'requires-python = ">={python}"'),
        ("DESCRIPTION", "Python (>= {python}), Keras (>= {keras}), TensorFlow (>= {tensorflow})"),
        ("pyproject.toml", 'jax = ["jax>={jax}"]'),
        ("DESCRIPTION", "Version: {fitgenerator}\n"),
        ("pyproject.toml", 'torch = ["torch>={torch}"]'),
        ("R/python-core.R", 'tensorflow = "tensorflow>={tensorflow}", jax = "jax>={jax}"'),
        ("R/python-core.R", 'torch = "torch>={torch}"'),
        ("R/python-core.R", 'declare(c(the$declared, "keras>={keras}"))'),
    ],
)
def test_T32_both_languages_name_the_same_versions(file: str, said: str) -> None:
    versions = {
        "python": doctor.PYTHON,
        "keras": doctor.KERAS,
        "tensorflow": doctor.TENSORFLOW,
        "jax": doctor.JAX,
        "fitgenerator": fitgenerator.__version__,
        "torch": doctor.TORCH,
    }
    assert said.format(**versions) in (ROOT / file).read_text("utf-8")


def test_T32_an_older_keras_is_one_that_has_to_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tuple(map(int, doctor.KERAS.split("."))) >= (3, 7)
    known = doctor.version_of
    monkeypatch.setattr(doctor, "version_of", lambda *n: "3.6.0" if "keras" in n else known(*n))
    findings = doctor.examine({"version": "4.4", "home": "/r", "reticulate": "1.46"})
    (found,) = (finding for finding in findings if finding.name == "Keras")
    assert (found.found, found.state) == ("3.6.0 is too old", "missing")
