"""What is installed, what is missing and what mends it: `python -m fitgenerator doctor`.

It works where Keras or TensorFlow is missing, and imports them only to name the devices.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from ._version import __version__
from .errors import SetupError

# How long R, or TensorFlow, may take to say what it has, in seconds.
_PATIENCE = 60.0
# The least versions, as in pyproject.toml, DESCRIPTION and R/python-core.R. Why not an older Keras:
# before 3.6 a callback does not tell which hooks are Keras's default, so that every batch would
# have a hook; before 3.7 EarlyStopping forgets, in its first epoch, what a checkpoint gave it.
PYTHON, KERAS, TENSORFLOW, JAX, TORCH = "3.10", "3.7", "2.16", "0.4.30", "2.4"
RETICULATE = "1.41"
# What has to be there: how it is imported, and what to install.
_NEEDED = {
    "numpy": "numpy",
    "tensorflow": f"tensorflow>={TENSORFLOW}",
    "jax": f"jax>={JAX}",
    "torch": f"torch>={TORCH}",
    "keras": f"keras>={KERAS}",
}
# What an error of loading says, and what is known to mend it.
_MENDS = {
    "DLL load failed": "Install Microsoft's Visual C++ runtime: "
    "https://aka.ms/vs/17/release/vc_redist.x64.exe",
    "GLIBC": "The system is older than the package needs: install an older version of the package",
    "_ARRAY_API|multiarray|NumPy 1": "It was built for another NumPy: install both anew, together",
    "cannot open shared object|Library not loaded|image not found": "Install the named library",
}
# Keras's backends: what they are called, the least version, the names of their distributions, and
# Python that prints their devices.
_BACKENDS = {
    "tensorflow": (
        "TensorFlow",
        TENSORFLOW,
        ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tensorflow-intel"),
        "import tensorflow as tf\n"
        "print('|'.join(d.name.split(':', 1)[1] for d in tf.config.list_logical_devices()))",
    ),
    "jax": (
        "JAX",
        JAX,
        ("jax",),
        "import jax\nprint('|'.join(f'{d.platform.upper()}:{d.id}' for d in jax.devices()))",
    ),
    "torch": (
        "PyTorch",
        TORCH,
        ("torch",),
        "import torch\nmps = ['MPS:0'] * torch.backends.mps.is_available()\n"
        "gpus = [f'CUDA:{i}' for i in range(torch.cuda.device_count())]\n"
        "print('|'.join(['CPU:0', *mps, *gpus]))",
    ),
}
# What is used where it is there: for what, and the names of its distributions.
_OPTIONAL = {
    "tf_keras": ("models of Keras 2", "tf_keras"),
    "torch": ("DataLoaders", "torch"),
    "matplotlib": ("plots", "matplotlib"),
    "Pillow": ("image flows", "Pillow"),
    "opencv": ("image flows", "opencv-python-headless", "opencv-python"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: What was looked for.
        found: Its version and where it is, or what it is needed for.
        state: "ok", "missing" (nothing works without it), or "optional" (it is not there).
        mend: The command that installs it, where it is not there.
    """

    name: str
    found: str
    state: str = "ok"
    mend: str = ""


def absent(error: Exception) -> Callable[[str], None]:
    """What says, in place of what the package exports, which package is missing or does not load.

    Raises:
        Exception: The same, where none that the user has to install has failed.
    """
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    name = (missing or "").partition(".")[0]
    if name in _NEEDED:
        text = (
            f"`{name}` is missing: fitgenerator needs it. Install it with {pip(_NEEDED[name])}; "
            "`python -m fitgenerator doctor` says what else is missing."
        )
    elif name := _failing(error):
        text = f"`{name}` is installed, but does not load: {_fault_and_mend(error, name)}"
    else:
        raise error

    def refuse(attribute: str) -> None:
        if attribute in sys.modules["fitgenerator"].__all__:  # else what Python itself looks for
            raise SetupError(text)

    return refuse


def _failing(error: BaseException) -> str:
    """The package that the user has to install in which an import failed; "" for another one."""
    found, trace = "", error.__traceback__
    while trace is not None:
        parts = Path(trace.tb_frame.f_code.co_filename).parts
        found = next((name for name in _NEEDED if name in parts), found)
        trace = trace.tb_next
    return found


def load_fault(module: str) -> str:
    """Why an installed module does not load, and what mends it; "" where it is not installed."""
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        return "" if error.name == module else _fault_and_mend(error, module)
    except Exception as error:  # whatever the package's own code raises
        return _fault_and_mend(error, module)
    return ""


def _fault_and_mend(error: Exception, module: str) -> str:
    said = fault_of(f"{type(error).__name__}: {error}")
    return f"{said} {mend_of(said, module)}."


def fault_of(said: str) -> str:
    """The line that tells what failed, of an error into which whole tracebacks are written."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"\w*(Error|Exception): ", line)]
    found = [line for line in errors if not line.endswith("(most recent call last):")]
    return f"{(found or lines or ['no reason is given'])[-1].rstrip('.')}."


def mend_of(fault: str, package: str) -> str:
    """What is known to help where a package does not load."""
    for sign, mend in _MENDS.items():
        if re.search(sign, fault):
            return mend
    return f"Install it anew: {pip(_NEEDED[package])} --force-reinstall"


def version_of(*distributions: str) -> str | None:
    """The version of the first distribution that is installed."""
    for name in distributions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return None


def older(version: str, least: str) -> bool:
    """Whether a version comes before another."""
    left, right = ([int(n) for n in re.findall(r"\d+", v)[:3]] for v in (version, least))
    return left < right


def pip(*requirements: str, python: str = "") -> str:
    """The command that installs requirements into this Python, in sh, cmd and PowerShell.

    In R, where reticulate has made this Python, it is one of R: such a Python has no pip.
    """
    if "rpycall" in sys.builtin_module_names and not importlib.util.find_spec("pip"):
        return f"reticulate::py_require(c({', '.join(map(json.dumps, requirements))}))"
    odd = "[^a-z_0-9.-]"
    wanted = [f'"{each}"' if re.search(odd, each, re.I) else each for each in requirements]
    python = python or sys.executable
    return " ".join([f'"{python}"' if " " in python else python, "-m pip install", *wanted])


def examine(r: dict[str, str] | None = None) -> list[Finding]:
    """All findings, in the order of the report.

    Args:
        r: What R knows of itself: "version", "home", "reticulate". `None`: the R on the path is
            asked.
    """
    found = [_python(), *_required()]
    if all(finding.state == "ok" for finding in found):
        found.append(_devices())
    for name, (use, *distributions) in _OPTIONAL.items():
        if name != _backend():
            found.append(_package(name, version_of(*distributions), pip(distributions[0]), use=use))
    if r is not None:
        return found + _r(r)
    use = "R functions from Python"
    rpy2 = _package("rpy2", version_of("rpy2"), pip("rpy2==3.5.17"), use=use)
    return [*found, *_r(_ask_r()), rpy2]


def _python() -> Finding:
    text = f"{platform.python_version()}, {sys.executable}"
    if older(platform.python_version(), PYTHON):
        return Finding("Python", text, "missing", f"install Python {PYTHON} or newer")
    return Finding("Python", text)


def _required() -> Iterator[Finding]:
    yield _package("NumPy", version_of("numpy"), pip(_NEEDED["numpy"]))
    backend = _backend()
    package = backend if backend in _BACKENDS else "tensorflow"
    title, least, names, _ = _BACKENDS[package]
    yield _package(title, version_of(*names), pip(_NEEDED[package]), least)
    yield _package("Keras", version_of("keras"), pip(_NEEDED["keras"]), KERAS)
    if backend in _BACKENDS:
        yield Finding("Keras's backend", backend)
    else:
        yield Finding(
            "Keras's backend",
            f"{backend} is not supported",
            "missing",
            "set the variable KERAS_BACKEND=tensorflow, =jax or =torch",
        )


def _backend() -> str:
    """The backend that Keras will run on."""
    return os.environ.get("KERAS_BACKEND") or _configured_backend()


def _configured_backend() -> str:
    """What Keras's own file of settings says."""
    path = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
    try:
        return str(json.loads(path.read_text("utf-8")).get("backend", "tensorflow"))
    except (OSError, ValueError):
        return "tensorflow"


def _package(name: str, version: str | None, mend: str, least: str = "", use: str = "") -> Finding:
    """Whether a package is there, and is new enough; `use` is what one that is optional is for."""
    if version and not older(version, least):
        return Finding(name, version)
    if use:
        missing = f"{version} is too old" if version else "not installed"
        return Finding(name, f"{missing} ({use})", "optional", mend)
    missing = f"{version} is too old" if version else "is not installed"
    return Finding(name, missing, "missing", mend)


def _devices() -> Finding:
    """In a process of its own: a backend would keep a GPU's memory, and writes as it likes."""
    package = _backend()
    title, _, _, code = _BACKENDS[package]
    said, error = _output([sys.executable, "-c", code])
    if said is None:
        return Finding(title, f"does not load: {error}", "missing", mend_of(error, package))
    return Finding("Devices", said.strip().rpartition("\n")[2].replace("|", ", "))


def _ask_r() -> dict[str, str] | None:
    """What the R on the path, or in `R_HOME`, is; `None` where there is none."""
    home = os.environ.get("R_HOME")  # R's installers for Windows and macOS leave the path as it is
    inside = shutil.which("Rscript", path=os.path.join(home, "bin")) if home else None
    rscript = inside or shutil.which("Rscript")
    if rscript is None:
        return None
    code = (
        "v <- function(p) if (nzchar(system.file(package = p))) format(packageVersion(p)) else '';"
        "cat(format(getRversion()), R.home(), v('reticulate'), sep = '\\n')"
    )
    said, _ = _output([rscript, "--vanilla", "-e", code])
    if said is None:
        return None
    return dict(zip(("version", "home", "reticulate"), [*said.split("\n"), "", ""], strict=False))


def _r(r: dict[str, str] | None) -> list[Finding]:
    if r is None:
        found = "not found, on the PATH or in R_HOME (generators in R)"
        mend = "install R, or put the folder of its Rscript on the PATH"
        return [Finding("R", found, "optional", mend)]
    install = "Rscript -e \"install.packages('reticulate')\""
    there = r.get("reticulate")
    reticulate = _package("reticulate", there, install, RETICULATE, use="use from R")
    return [Finding("R", f"{r['version']}, {r['home']}"), reticulate]


def _output(command: list[str]) -> tuple[str | None, str]:
    """What a command printed, or why it failed."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,  # a console without one may not have a child wait for it
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            env=quiet,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if done.returncode != 0:
        return None, fault_of(done.stderr or f"It ended with the status {done.returncode}")
    return done.stdout, ""


def lines(findings: list[Finding]) -> list[str]:
    """The report: a line for each finding, and what to do."""
    width = max(len(finding.name) for finding in findings)
    marks = {"ok": " ", "missing": "!", "optional": "-"}
    text = [f"fitgenerator {__version__}, {Path(__file__).parent}"]
    text += [f"{marks[f.state]} {f.name.ljust(width)}  {f.found}" for f in findings]
    titles = {"missing": "It does not work without:", "optional": "What is not there, and can be:"}
    for state, title in titles.items():
        mends = [f"  {f.name.ljust(width)}  {f.mend}" for f in findings if f.state == state]
        text += ["", title, *mends] if mends else []
    if works(findings):
        text += ["", "All that is needed is there."]
    return text


def works(findings: list[Finding]) -> bool:
    """Whether nothing that is needed is missing."""
    return all(finding.state != "missing" for finding in findings)


def doctor() -> int:
    """Print the report; the exit status: 1 where something that is needed is missing."""
    findings = examine()
    print("\n".join(lines(findings)))
    return 0 if works(findings) else 1


def report(r: dict[str, str]) -> tuple[list[str], bool]:
    """The report for R, and whether nothing that is needed is missing."""
    findings = examine(r)
    return lines(findings), works(findings)
