#!/usr/bin/env bash
# Compares Sojourn with the real express-session, in memory and on the databases of the npm stores; the last line is
# "N passed, N failed, N skipped", skipped being the declared deviations.
# Needs the built solution (Release), and Redis. Arguments are handed to the recorder, such as --filter 'cookie-.*'; STORES=memory runs less.
set -euo pipefail
cd "$(dirname "$0")"
[ reference/node_modules/.package-lock.json -nt reference/package-lock.json ] || (cd reference && npm ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund --silent)

directory=$(mktemp -d)
servers=()
stop() {
  [ ${#servers[@]} -eq 0 ] || { kill "${servers[@]}" 2> /dev/null || true; wait "${servers[@]}" 2> /dev/null || true; }
  rm -rf "$directory"
}
trap stop EXIT

free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }

# Each sets url, in which {job} names a database of the recorder's job of that number.
start_memory() { url=; }
start_redis() {
  local port; port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --dir "$directory" --save '' --appendonly no > "$directory/redis.log" &
  servers+=($!)
  until redis-cli -p "$port" ping > /dev/null 2>&1; do sleep 0.05; done
  url="redis://127.0.0.1:$port/{job}"
}

passed=0 failed=0 skipped=0
compare() {
  local store=$1; shift
  echo "-- $store"
  "start_$store"
  local deviations=(--deviations deviations.json)
  [ ! -e "deviations.$store.json" ] || deviations+=(--deviations "deviations.$store.json")
  record() { node run.mjs --launch "$1" --out "$directory/$2.json" --store "$store" --store-url "$url" --jobs 4 "${@:3}"; }
  record "node reference/app.mjs" express --quiet "$@"
  record "dotnet $PWD/../../artifacts/bin/Sojourn.ExpressConformance/release/Sojourn.ExpressConformance.dll" sojourn "$@"
  node diff.mjs "$directory/express.json" "$directory/sojourn.json" "${deviations[@]}" --failures-only | tee "$directory/differences" || true
  read -r p f s < <(sed -nE '$ s/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 0\4/p' "$directory/differences") || { echo "The comparison on $store did not end."; exit 1; }
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + 10#$s))
}

for store in ${STORES:-memory redis}; do compare "$store" "$@"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
