#!/usr/bin/env bash
# One shop, two applications, one session: starts NestJS with express-session, and ASP.NET Core with Sojourn in front of it, and prints the address.
#   ./run.sh [redis|pg|mysql|mongo] [--no-build]
# Sessions are kept in the database of STORE_URL (redis://host:port, postgres://user:password@host:port/database, mysql://…, mongodb://…); without it in a Redis that is started here. Needs the .NET 10 SDK, Node 20 with npm, redis-server. Ctrl+C ends what was started.
set -euo pipefail
cd "$(dirname "$0")"
store=redis build=yes
for argument in "$@"; do
  case $argument in
    redis | pg | mysql | mongo) store=$argument ;;
    --no-build) build= ;;
    *) echo "Usage: ./run.sh [redis|pg|mysql|mongo] [--no-build]" >&2; exit 2 ;;
  esac
done

directory=$(mktemp -d)
started=()
stop() {
  trap - EXIT
  [ ${#started[@]} -eq 0 ] || { kill "${started[@]}" 2> /dev/null || true; wait "${started[@]}" 2> /dev/null || true; }
  rm -rf "$directory"
}
trap stop EXIT
trap 'exit 0' INT TERM

free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }
# Waits until somebody listens on a port, or the process that should is gone.
until_up() {
  until (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; do
    kill -0 "$2" 2> /dev/null || { echo "$3 did not start." >&2; exit 1; }
    sleep 0.1
  done
}

start_redis() {
  local port; port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --dir "$directory" --save '' --appendonly no > "$directory/redis.log" &
  started+=($!)
  until_up "$port" $! Redis
  STORE_URL=redis://127.0.0.1:$port
}

[ nest/node_modules/.package-lock.json -nt nest/package-lock.json ] || npm --prefix nest ci --ignore-scripts --no-audit --no-fund --silent
npm --prefix nest run --silent build
[ -z "$build" ] || dotnet build -c Release --nologo -v quiet

STORE_URL=${STORE_URL:-}
if [ -z "$STORE_URL" ]; then
  [ "$store" = redis ] || { echo "Say where $store is: STORE_URL=… ./run.sh $store" >&2; exit 2; }
  start_redis
fi
export STORE=$store STORE_URL
export SESSION_SECRET=${SESSION_SECRET:-$(node -p 'require("crypto").randomBytes(32).toString("base64url")')}
export NEST_URL=http://127.0.0.1:${NEST_PORT:-5093}
address=http://localhost:${FRONT_PORT:-5092}

PORT=${NEST_URL##*:} node nest/dist/main.js &
started+=($!)
until_up "${NEST_URL##*:}" $! NestJS
dotnet ../../artifacts/bin/SharedLogin/release/SharedLogin.dll --urls "$address" --environment Development &
started+=($!)
until_up "${address##*:}" $! "ASP.NET Core"
echo "Both applications, one origin: $address"
wait -n "${started[@]}"
