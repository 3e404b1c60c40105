#!/usr/bin/env bash
# Measures everything side by side in one run, prints the ratios and writes them to RESULTS.md. What stands in RESULTS.md from the
# line <!-- notes --> on is written by hand and kept.
#   benchmarks/run.sh          everything
#   benchmarks/run.sh http     over HTTP only, printed and not written
# ROUNDS (20) and SECONDS_EACH (1) make it longer or shorter: the machine's speed drifts, so many short turns tell more than a few long ones.
set -euo pipefail
cd "$(dirname "$0")"
what=${1:-all}
rounds=${ROUNDS:-20}
seconds=${SECONDS_EACH:-1}
server_core=0
client_core=1
modes=(none builtin sojourn-memory sojourn-sqlite)
declare -A port=([none]=5921 [builtin]=5922 [sojourn-memory]=5923 [sojourn-sqlite]=5924)
declare -A pid requests elapsed processor

command -v wrk > /dev/null || apt-get install -y --no-install-recommends wrk > /dev/null
work=$(mktemp -d)
stop() {
  for p in "${pid[@]}"; do kill "$p" 2> /dev/null || true; done
  wait
  rm -rf "$work"
}
trap stop EXIT

http=Sojourn.Benchmarks.Http
dotnet build -c Release -v q --nologo $http/$http.csproj > "$work/build" || { cat "$work/build"; exit 1; }
[ "$what" = http ] || dotnet build -c Release -v q --nologo Sojourn.Benchmarks/Sojourn.Benchmarks.csproj > "$work/build" || { cat "$work/build"; exit 1; }

# Processor time that a process has used, in hundredths of a second.
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

# One turn: prints requests, seconds by the clock, and hundredths of a second of processor time that the server used.
measure() {
  local mode=$1 path=$2 length=$3 before after result
  before=$(ticks "${pid[$mode]}")
  result=$(taskset -c $client_core wrk -t1 -c32 -d"${length}s" -s visitors.lua "http://127.0.0.1:${port[$mode]}$path" -- "$work/$mode.headers" | grep ^RESULT)
  after=$(ticks "${pid[$mode]}")
  echo "$result" | awk -v ticks=$((after - before)) -v mode="$mode" '
    { if ($4 > 0 || $2 == 0) { print mode ": " $4 " requests failed" > "/dev/stderr"; exit 1 }
      print $2, $3, ticks }'
}

for mode in "${modes[@]}"; do
  # The compiler counts calls from the start, so that its last tier is reached in seconds.
  DOTNET_TC_CallCountingDelayMs=0 taskset -c $server_core dotnet "../artifacts/bin/$http/release/$http.dll" "$mode" "${port[$mode]}" "Data Source=$work/sessions.db" > "$work/$mode.log" 2>&1 &
  pid[$mode]=$!
done
for mode in "${modes[@]}"; do
  curl -sf --retry 50 --retry-connrefused --retry-delay 1 -o /dev/null "http://127.0.0.1:${port[$mode]}/seed"
  curl -sf -o /dev/null -D "$work/$mode.headers" "http://127.0.0.1:${port[$mode]}/seed?[1-256]"
done
# Warm is who has had processor time enough for the compiler's last tier, however busy the machine is.
for mode in "${modes[@]}"; do
  for ((i = 0; i < 20 && $(ticks "${pid[$mode]}") < 1500; i++)); do
    measure "$mode" /read 2 > /dev/null
    measure "$mode" /write 2 > /dev/null
  done
done
for ((round = 1; round <= rounds; round++)); do
  for path in /read /write; do
    for mode in "${modes[@]}"; do
      read -r n t c < <(measure "$mode" $path "$seconds")
      echo "round $round: $mode $path: $n requests in $t s, $c hundredths of a second of processor time" >&2
      at=$mode$path
      requests[$at]=$((${requests[$at]:-0} + n))
      elapsed[$at]=$(awk -v a="${elapsed[$at]:-0}" -v b="$t" 'BEGIN { print a + b }')
      processor[$at]=$((${processor[$at]:-0} + c))
    done
  done
done

row() { # one mode and path over another, and the target
  awk -v a="$1" -v b="$3" -v path="$2" -v target="$4" -v an="${requests[$1$2]}" -v bn="${requests[$3$2]}" \
    -v ac="${processor[$1$2]}" -v bc="${processor[$3$2]}" -v at="${elapsed[$1$2]}" -v bt="${elapsed[$3$2]}" \
    'BEGIN { printf "| `%s`%s / `%s`%s | %.2f | %.2f | %s |\n", a, path, b, path, an / ac / (bn / bc), an / at / (bn / bt), target }'
}
{
  echo "| requests | by processor time | by the clock | target |"
  echo "| --- | --- | --- | --- |"
  row sojourn-memory /read none "0.65"
  row sojourn-memory /write none "0.55"
  row sojourn-memory /read builtin "1.4"
  row sojourn-memory /write builtin "1.4"
  row builtin /read none ""
  row builtin /write none ""
  row sojourn-sqlite /read sojourn-memory "0.8"
  row sojourn-sqlite /write sojourn-memory ""
} > "$work/http.md"
if [ "$what" = http ]; then
  cat "$work/http.md"
  exit
fi

# The server's programs are done with; what follows has the machine to itself.
for p in "${pid[@]}"; do kill "$p"; done
wait
pid=()

bench="dotnet ../artifacts/bin/Sojourn.Benchmarks/release/Sojourn.Benchmarks.dll"
$bench sqlite-commits > "$work/commits"
$bench memory-million > "$work/million"
$bench path > "$work/path"
(cd "$work" && dotnet "$OLDPWD/../artifacts/bin/Sojourn.Benchmarks/release/Sojourn.Benchmarks.dll" --filter '*' --join --job short --inProcess > bdn.log 2>&1) || tail -20 "$work/bdn.log" >&2
cat "$work/commits" "$work/million" "$work/path" >&2
summary=$(ls "$work"/BenchmarkDotNet.Artifacts/results/*-report-github.md 2> /dev/null || true)
result() { awk '$1 == "RESULT" { print $2 }' "$1"; }

notes=$(sed -n '/^<!-- notes -->/,$p' RESULTS.md 2> /dev/null || true)
{
  echo "# Results"
  echo
  echo "Written by \`benchmarks/run.sh\`; all ratios of one run, on a machine with 2 cores, server on one and client on the other."
  echo "Only the ratios mean anything: the machine is shared."
  echo
  echo "## Over HTTP"
  echo
  echo "The sum of $rounds turns of $seconds s each, modes in turn, 32 connections, 256 sessions of 1 KB. \`none\` is ASP.NET Core without a session,"
  echo "\`builtin\` ASP.NET Core's own on its memory cache. *By processor time*: requests for each second of processor time that the server used,"
  echo "which says what a session costs however busy the machine is; *by the clock*: requests a second."
  echo
  cat "$work/http.md"
  echo
  echo "## At the stores"
  echo
  echo "| measured | ratio | target |"
  echo "| --- | --- | --- |"
  echo "| SQLite, durable commits a second: 64 waiters / one waiter | $(result "$work/commits") | 20 or more |"
  echo "| memory store, 1,000,000 sessions of 1 KB: heap / payload | $(result "$work/million") | 1.3 or less |"
  echo
  echo "## In the process"
  echo
  echo "The middleware on a response that goes nowhere, over the memory store, processor time and bytes a request (\`none\` is the bare pipeline):"
  echo
  sed 's/^/- /' "$work/path"
  if [ -n "$summary" ]; then
    echo
    sed -n '/^|/p' $summary
  fi
  echo
  echo "${notes:-<!-- notes -->}"
} > "$work/RESULTS.md"
mv "$work/RESULTS.md" RESULTS.md
cat RESULTS.md
