# The Python environment: .venv with this package (editable), TensorFlow and the developer's tools.
# To be sourced after common.sh and system.sh.

venv=$root/.venv
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
if not sysconfig.get_config_var("Py_ENABLE_SHARED") and not framework:
    sys.exit("was built without a shared library (--enable-shared), which R needs")
names = [sysconfig.get_config_var(v) for v in ("INSTSONAME", "LDLIBRARY")]
dirs = [sysconfig.get_config_var(v) or "" for v in ("LIBDIR", "LIBPL")]
dirs.append(os.path.join(dirs[0], sysconfig.get_config_var("MULTIARCH") or ""))
dirs.append(sysconfig.get_config_var("PYTHONFRAMEWORKPREFIX") or "")
if not any(os.path.exists(os.path.join(d, n)) for d in dirs for n in names if n):
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
  for name in python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3; do
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

# Keras 2 of TensorFlow's own version. Without its dependencies: it names tensorflow, which has the same files as
# tensorflow-cpu.
keras2_requirement() {
  "$venv/bin/python" -c 'import sys; from importlib.metadata import version
major, minor = version(sys.argv[1]).split(".")[:2]
print(f"tf_keras=={major}.{minor}.*")' "$tensorflow"
}

python_key() { fingerprint pyproject.toml tools/lib/python.sh -- "$(r_line)"; }

setup_python() {
  local stamp=$venv/.fitgenerator-stamp
  [ -x "$venv/bin/python" ] && is_done "$stamp" "$(python_key)" && return
  need_system
  find_python
  # A folder that was moved here has the old path in its scripts.
  if ! grep -qsF "$venv" "$venv/bin/activate" || ! "$venv/bin/python" -c "$python_probe" >/dev/null 2>&1; then
    say "setup: making .venv with $python"
    rm -rf "$venv"
    logged venv "$python" -m venv "$venv" || fail "cannot make .venv."
  fi
  say "setup: installing Python packages into .venv (minutes, the first time)"
  rm -f "$stamp"
  logged pip "$venv/bin/python" -m pip install --disable-pip-version-check --editable "${root}[plot,test,dev]" \
    "$(rpy2_requirement)" "${tools_only[@]}" || fail "pip failed."
  logged pip-keras2 "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps "$(keras2_requirement)" ||
    fail "pip failed."
  python_key >"$stamp"
}
