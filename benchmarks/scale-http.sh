#!/usr/bin/env bash
# Measures what an HTTP request costs as sessions in memory grow, and writes its part of SCALE.md. Requests go to a random sample of 100,000 of all the sessions in turn, and
# then to 256 of them. SIZES="1000 1000000 10000000", ROUNDS (10), SECONDS_EACH (1) and WARM (15) make it longer or shorter; ten million sessions take 6 GB of memory.
set -euo pipefail
cd "$(dirname "$0")"
read -r -a sizes <<< "${SIZES:-1000 1000000 10000000}"
rounds=${ROUNDS:-10} seconds=${SECONDS_EACH:-1}
. ./servers.sh
trap stop_servers EXIT
# The collector that ASP.NET Core's applications have by default, which .NET takes only where there is more than one core: the client has to share its own.
app_core=0,1
export DOTNET_gcServer=1
need wrk
build Sojourn.Benchmarks
taskset -cp $other_core $$ > /dev/null

for size in "${sizes[@]}"; do
  start_app "$size" dotnet ../artifacts/bin/Sojourn.Benchmarks/release/Sojourn.Benchmarks.dll memory-server PORT "$size" "$work/$size.headers"
done
for size in "${sizes[@]}"; do
  up "$size"
  mv "$work/$size.headers.busy" "$work/$size-busy.headers"
done
for size in "${sizes[@]}"; do warm "$size" /read /write; done
for ((round = 1; round <= rounds; round++)); do
  for path in read write; do
    for size in "${sizes[@]}"; do
      for of in "$size" "$size-busy"; do
        figures=$(visitors=$of turn "$size" /$path "$seconds")
        echo "$path ${of#"$size"} $size $figures" | sed 's/-busy/busy/; s/  / all /' >> "$work/turns"
        echo "round $round: $of /$path: $figures" >&2
      done
    done
  done
done
{
  echo "The sum of $rounds turns of $seconds s each, 32 connections, processor time of the application."
  echo
  echo "| sessions | read, all over them, µs | ratio | write, all over them, µs | ratio | read, 256 of them, µs | ratio | write, 256 of them, µs | ratio |"
  echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
  awk -v sizes="${sizes[*]}" '
    { at = $1 " " $2 " " $3; requests[at] += $4; ticks[at] += $6 }
    END {
      n = split(sizes, size); m = split("read all,write all,read busy,write busy", kind, ",")
      for (i = 1; i <= n; i++) {
        line = "| " size[i]
        for (k = 1; k <= m; k++) {
          cost = 10000 * ticks[kind[k] " " size[i]] / requests[kind[k] " " size[i]]
          if (i == 1) first[k] = cost
          line = line sprintf(" | %.1f | %.2f", cost, cost / first[k])
        }
        print line " |"
      }
    }' "$work/turns" | sed -E ':a; s/^(\| [0-9]+)([0-9]{3})/\1,\2/; ta'
} > "$work/table"
node report/publish.mjs SCALE.md http < "$work/table"
cat "$work/table"
