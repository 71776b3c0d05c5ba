#!/bin/sh
# One process of the image: start.sh redyard|web|worker. It takes this shell's place, so that SIGTERM reaches it.
set -eu
cd "$(dirname "$0")/app"
PATH="$(dirname "$0")/venv/bin:$PATH"

case "${1:-}" in
redyard)
  if [ ! -e "$REDYARD_HOME/.added" ]; then
    redyard add redis --plan "${PLAN:-256mb}" ${BIND:+--bind "$BIND"} || [ $? -eq 22 ]  # 22: it is there, a first start was cut short
    redyard down
    : >"$REDYARD_HOME/.added"
  fi
  exec redyard up
  ;;
web) exec python -m examples.agent_tasks.serve ;;
worker) exec python -m examples.agent_tasks.worker ;;
*)
  echo "usage: start.sh redyard|web|worker" >&2
  exit 2
  ;;
esac
