# The Python environment: .venv with this package (editable), TensorFlow and the developer's tools.
# To be sourced after common.sh and system.sh.

venv=$root/.venv
venv_python=$venv/bin/python
if on_windows; then venv_python=$venv/Scripts/python; fi
tensorflow=tensorflow-cpu
if on_macos; then tensorflow=tensorflow; fi # the other one has no wheel for macOS
tools_only=("$tensorflow" py-spy)

# What a Python must be: new enough, built with a shared library or as a framework of macOS (R loads it) that is really
# there, with headers (rpy2 is compiled) and able to make environments. Prints the real interpreter's path.
read -r -d '' python_probe <<'PY' || true
import os, sys, sysconfig
if sys.version_info < (3, 10):
    sys.exit("is older than 3.10")
framework = sysconfig.get_config_var("PYTHONFRAMEWORK")
windows = os.name == "nt"  # where each Python is a DLL
if not (sysconfig.get_config_var("Py_ENABLE_SHARED") or framework or windows):
    sys.exit("was built without a shared library (--enable-shared), which R needs")
names = [sysconfig.get_config_var(v) for v in ("INSTSONAME", "LDLIBRARY")]
dirs = [sysconfig.get_config_var(v) or "" for v in ("LIBDIR", "LIBPL")]
dirs.append(os.path.join(dirs[0], sysconfig.get_config_var("MULTIARCH") or ""))
dirs.append(sysconfig.get_config_var("PYTHONFRAMEWORKPREFIX") or "")
if not windows and not any(os.path.exists(os.path.join(d, n)) for d in dirs for n in names if n):
    sys.exit("lacks its shared library " + str(names[0]))
include = sysconfig.get_path("include")
if not os.path.exists(os.path.join(include, "Python.h")):
    sys.exit("lacks its headers")
try:
    import ensurepip, venv
except ImportError as error:
    sys.exit("lacks the module " + str(error.name))
print(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
PY

# find_python: the first suitable interpreter in $python; reasons against the others go to $refused.
find_python() {
  local name answer
  refused=""
  for name in python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3 python; do
    have "$name" || continue
    if answer=$("$name" -c "$python_probe" 2>&1); then
      python=$answer
      return 0
    fi
    refused+=$'\n'"  $(command -v "$name") ${answer##*$'\n'}"
  done
  return 1
}

# rpy2 3.6 splits into three packages whose current interface needs R 4.5.
rpy2_requirement() {
  if Rscript --vanilla -e 'quit(status = getRversion() < "4.5")'; then echo 'rpy2>=3.5.17'; else echo 'rpy2==3.5.17'; fi
}

# Its tests are skipped where there is none.
without_rpy2() { if on_windows; then say 'setup: there is no rpy2 for this R and Python'; else fail "pip failed."; fi; }

# keras2_requirement PYTHON: Keras 2 of its TensorFlow's version. Without its dependencies: it names tensorflow, which has
# the same files as tensorflow-cpu.
keras2_requirement() {
  "$1" -c 'import sys; from importlib.metadata import version
major, minor = version(sys.argv[1]).split(".")[:2]
print(f"tf_keras=={major}.{minor}.*")' "$tensorflow"
}

python_key() { fingerprint pyproject.toml tools/lib/python.sh -- "$(r_line)"; }

setup_python() {
  local stamp=$venv/.fitgenerator-stamp
  [ -x "$venv_python" ] && is_done "$stamp" "$(python_key)" && return
  need_system
  find_python
  # A folder that was moved here has the old path in its scripts.
  if ! grep -qsF "$venv" "${venv_python%/*}/activate" || ! "$venv_python" -c "$python_probe" >/dev/null 2>&1; then
    say "setup: making .venv with $python"
    rm -rf "$venv"
    logged venv "$python" -m venv "$venv" || fail "cannot make .venv."
  fi
  say "setup: installing Python packages into .venv (minutes, the first time)"
  rm -f "$stamp"
  export PIP_DISABLE_PIP_VERSION_CHECK=1
  logged pip "$venv_python" -m pip install --editable "${root}[plot,test,dev]" "${tools_only[@]}" || fail "pip failed."
  logged pip-rpy2 "$venv_python" -m pip install "$(rpy2_requirement)" || without_rpy2
  logged pip-keras2 "$venv_python" -m pip install --no-deps "$(keras2_requirement "$venv_python")" || fail "pip failed."
  python_key >"$stamp"
}
