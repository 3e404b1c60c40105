#!/usr/bin/env bash
# Measures requests that never look at the session whose cookie they bear: with the session loaded before the handler, loaded on first use, and without any. Writes its part
# of ../docs/performance.md. ROUNDS (20) and SECONDS_EACH (1) make it longer or shorter.
set -euo pipefail
cd "$(dirname "$0")"
. ./servers.sh
trap stop_servers EXIT
need wrk redis-server
http=Sojourn.Benchmarks.Http
build $http
taskset -cp $other_core $$ > /dev/null
redis_options=(--save '' --appendonly yes --appendfsync everysec)
start_redis sojourn
declare -A requests=() spent=() commands=()
modes=(none sojourn-redis sojourn-redis-first-use)
for mode in "${modes[@]}"; do start_app "$mode" dotnet "../artifacts/bin/$http/release/$http.dll" "$mode" PORT "${url#redis://}"; done
for mode in "${modes[@]}"; do up "$mode"; seed "$mode"; warm "$mode" /plain; done
asked() { redis-cli -p "${url##*:}" info commandstats | tr -d '\r' | awk -F'[:=,]' '$1 == "cmdstat_get" { print $3 }'; }
for ((round = 1; round <= ${ROUNDS:-20}; round++)); do
  for mode in "${modes[@]}"; do
    before=$(asked)
    read -r n _ c _ < <(turn "$mode" /plain "${SECONDS_EACH:-1}")
    requests[$mode]=$((${requests[$mode]:-0} + n)) spent[$mode]=$((${spent[$mode]:-0} + c)) commands[$mode]=$((${commands[$mode]:-0} + $(asked) - before))
    echo "round $round: $mode: $n requests, $c hundredths of a second of processor time" >&2
  done
done
{
  echo "| a request that does not look at its session | commands to Redis | processor time over that without a session |"
  echo "| --- | --- | --- |"
  for mode in "${modes[@]}"; do
    awk -v mode="$mode" -v n="${requests[$mode]}" -v c="${spent[$mode]}" -v n0="${requests[none]}" -v c0="${spent[none]}" -v asked="${commands[$mode]}" \
      'BEGIN { name["none"] = "no session"; name["sojourn-redis"] = "loaded before the handler"; name["sojourn-redis-first-use"] = "loaded on first use"
        printf "| %s | %.1f | %.2f |\n", name[mode], asked / n, c / n / (c0 / n0) }'
  done
} > "$work/table"
node report/publish.mjs ../docs/performance.md load < "$work/table"
cat "$work/table"
