#!/bin/sh
# The steps of the image, without Docker: install.sh DIRECTORY puts Redyard and the app there, readable by all and
# writable by the owner. It needs Python 3.11 or newer and no root. VENV names an environment that has it all already.
set -eu
umask 022
source=$(CDPATH= cd "$(dirname "$0")/../../.." && pwd)
target=${1:?usage: install.sh DIRECTORY}

mkdir -p "$target/app/examples"
if [ -n "${VENV:-}" ]; then
  ln -s "$VENV" "$target/venv"
else
  "${PYTHON:-python3}" -m venv "$target/venv"
  "$target/venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
  "$target/venv/bin/python" -m pip install --quiet "$source[addon]" --group "$source/pyproject.toml:example"
fi
cp "$source/examples/__init__.py" "$target/app/examples/"
cp -R "$source/examples/agent_tasks" "$target/app/examples/"
rm -f "$target"/app/examples/agent_tasks/*.db*
cp "$source/examples/agent_tasks/deploy/start.sh" "$target/start.sh"
