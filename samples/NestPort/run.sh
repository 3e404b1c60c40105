#!/usr/bin/env bash
# Starts the NestJS application and the same one on Sojourn, each on its own; http://localhost:5090 shows their sources side by side.
# Needs the .NET 10 SDK and Node 20 with npm. Ctrl+C ends both.
set -euo pipefail
cd "$(dirname "$0")"
nest=http://127.0.0.1:${NEST_PORT:-5091}
[ -d nest/node_modules ] || npm --prefix nest ci --no-audit --no-fund --silent
npm --prefix nest run --silent build
echo "Both sources side by side: http://localhost:${SOJOURN_PORT:-5090}"
PORT=${nest##*:} node nest/dist/main.js &
trap 'kill %1 2> /dev/null || true' EXIT
dotnet run -c Release "$@" -- --urls "http://localhost:${SOJOURN_PORT:-5090}" --environment Development --NestAddress "$nest"
