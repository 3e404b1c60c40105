#!/usr/bin/env bash
# One shop, two applications, one session: starts NestJS with express-session, and ASP.NET Core with Sojourn in front of it, and prints the address.
#   ./run.sh [redis|pg|mysql|mongo] [--no-build]
# Sessions are kept in the database of STORE_URL (redis://host:port, postgres://user:password@host:port/database, mysql://…, mongodb://…); without it in one that is
# started here, for MongoDB a stand-in. Needs the .NET 10 SDK, Node 20 with npm, and redis-server, postgresql or mariadb-server. Ctrl+C ends what was started.
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

. ../../eng/databases.sh
started=()
stop() {
  trap - EXIT
  [ ${#started[@]} -eq 0 ] || { kill "${started[@]}" 2> /dev/null || true; wait "${started[@]}" 2> /dev/null || true; }
  stop_databases
}
trap stop EXIT
trap 'exit 0' INT TERM

# Waits until somebody listens on a port, or the process that should is gone.
until_up() {
  until (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; do
    kill -0 "$2" 2> /dev/null || { echo "$3 did not start." >&2; exit 1; }
    sleep 0.1
  done
}

[ nest/node_modules/.package-lock.json -nt nest/package-lock.json ] || npm --prefix nest ci --ignore-scripts --no-audit --no-fund --silent
npm --prefix nest run --silent build
[ -z "$build" ] || dotnet build -c Release --nologo -v quiet

if [ -z "${STORE_URL:-}" ]; then
  "start_$store" shop
  STORE_URL=$url
  [ "$store" = redis ] || STORE_URL+=/shop
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
wait -n "${started[@]}" "${database_pids[@]}"
