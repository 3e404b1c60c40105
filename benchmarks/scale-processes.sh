#!/usr/bin/env bash
# Measures what a request costs the application and Redis as application processes become more: one, two and four of them on one Redis, and on a Redis Cluster of three
# primaries and three replicas. Writes its part of SCALE.md. ROUNDS (10), SECONDS_EACH (1) and WARM (10) make it longer or shorter.
# All applications share one core, the client and all databases the other: throughput by the clock cannot grow here, and is not what is measured. Processor time is.
set -euo pipefail
cd "$(dirname "$0")"
rounds=${ROUNDS:-10} seconds=${SECONDS_EACH:-1} WARM=${WARM:-10}
. ./servers.sh
trap stop_servers EXIT
need wrk redis-server
build Sojourn.Benchmarks.Http
taskset -cp $other_core $$ > /dev/null

redis_options=(--save '' --appendonly yes --appendfsync everysec)
start_redis
single=${url#redis://} single_servers=("${database_pids[@]}")
start_redis_cluster
cluster=${url#redis://} cluster_servers=("${database_pids[@]:1}")

for kind in single cluster; do
  for number in 1 2 3 4; do
    start_app $kind$number dotnet ../artifacts/bin/Sojourn.Benchmarks.Http/release/Sojourn.Benchmarks.Http.dll sojourn-redis PORT "${!kind}"
  done
  for number in 1 2 3 4; do up $kind$number; done
  seed ${kind}1
  # One and the same visitors go to all of them.
  for number in 2 3 4; do cp "$work/${kind}1.headers" "$work/$kind$number.headers"; done
  for number in 1 2 3 4; do warm $kind$number /read /write; done
done

sum_ticks() { local sum=0 process; for process; do sum=$((sum + $(ticks "$process"))); done; echo $sum; }
for ((round = 1; round <= rounds; round++)); do
  for path in read write; do
    for kind in single cluster; do
      for count in 1 2 4; do
        processes=() loads=()
        servers=$kind"_servers[@]"
        for ((number = 1; number <= count; number++)); do processes+=("${app[$kind$number]}"); done
        spent=$(sum_ticks "${processes[@]}") served=$(sum_ticks "${!servers}")
        for ((number = 1; number <= count; number++)); do
          load $kind$number /$path "$seconds" $((32 / count)) > "$work/load$number" &
          loads+=($!)
        done
        for load in "${loads[@]}"; do wait "$load"; done
        spent=$(($(sum_ticks "${processes[@]}") - spent)) served=$(($(sum_ticks "${!servers}") - served))
        requests=$(for ((number = 1; number <= count; number++)); do cat "$work/load$number"; done | awk '{ sum += $1 } END { print sum }')
        echo "$kind $count $path $requests $spent $served" | tee -a "$work/turns" >&2
      done
    done
  done
done
{
  echo "The sum of $rounds turns of $seconds s each, 32 connections together, 256 sessions of 1 KB; processor time of all applications, and of all nodes of Redis together."
  echo
  echo "| Redis | applications | read: application, µs | ratio | read: Redis, µs | ratio | write: application, µs | ratio | write: Redis, µs | ratio |"
  echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
  awk '
    { at = $1 " " $2 " " $3; requests[at] += $4; spent[at] += $5; served[at] += $6 }
    function cost(ticks, at) { return 10000 * ticks[at] / requests[at] }
    function over(ticks, at, first) { return cost(ticks, first) ? sprintf("%.2f", cost(ticks, at) / cost(ticks, first)) : "-" }
    function cells(at, first) { return sprintf(" | %.1f | %s | %.1f | %s", cost(spent, at), over(spent, at, first), cost(served, at), over(served, at, first)) }
    END {
      for (k = 1; k <= 2; k++) for (n = 1; n <= 4; n *= 2) {
        kind = k == 1 ? "single" : "cluster"
        print "| " (k == 1 ? "one" : "Cluster, six nodes") " | " n cells(kind " " n " read", "single 1 read") cells(kind " " n " write", "single 1 write") " |"
      }
    }' "$work/turns"
} > "$work/table"
node report/publish.mjs SCALE.md processes < "$work/table"
cat "$work/table"
