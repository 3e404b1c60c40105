#!/usr/bin/env bash
# Compares Sojourn with the real express-session, in memory and on the databases of the npm stores; the last line is
# "N passed, N failed, N skipped", skipped being the declared deviations.
# Needs the built solution (Release), Redis, PostgreSQL and MariaDB; MongoDB is a stand-in. Arguments are handed to the recorder, such as --filter 'cookie-.*'.
# STORES="memory redis" compares on these alone. On the last three what is about proxies, cookies' attributes, names and secrets is left out, and the combinations of options:
# it takes most of the time, and a store sees no more of it than one more record. FULL=1 leaves nothing out.
set -euo pipefail
cd "$(dirname "$0")"
[ reference/node_modules/.package-lock.json -nt reference/package-lock.json ] || (cd reference && npm ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund --silent)

. ../../eng/databases.sh
directory=$(mktemp -d)
trap 'stop_databases; rm -rf "$directory"' EXIT
start_memory() { url=; }

passed=0 failed=0 skipped=0
compare() {
  local store=$1; shift
  echo "-- $store"
  # A database for each of the recorder's jobs.
  "start_$store" job0 job1 job2 job3
  case $store in memory) ;; redis) url+=/{job} ;; *) url+=/job{job} ;; esac
  local deviations=(--deviations deviations.json)
  local scope=(); case ${FULL:-$store} in pg | mysql | mongo) scope=(--leave-out '^(03|04|05|07|20)-') ;; esac
  [ ! -e "deviations.$store.json" ] || deviations+=(--deviations "deviations.$store.json")
  record() { node run.mjs --launch "$1" --out "$directory/$2.json" --store "$store" --store-url "$url" --jobs 4 "${scope[@]}" "${@:3}"; }
  record "node reference/app.mjs" express --quiet "$@"
  record "dotnet $PWD/../../artifacts/bin/Sojourn.ExpressConformance/release/Sojourn.ExpressConformance.dll" sojourn "$@"
  node diff.mjs "$directory/express.json" "$directory/sojourn.json" "${deviations[@]}" --failures-only | tee "$directory/differences" || true
  read -r p f s < <(sed -nE '$ s/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 0\4/p' "$directory/differences") || { echo "The comparison on $store did not end."; exit 1; }
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + 10#$s))
}

for store in ${STORES:-memory redis pg mysql mongo}; do compare "$store" "$@"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
