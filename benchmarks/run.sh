#!/usr/bin/env bash
# Measures everything side by side in one run: no session, ASP.NET Core's own, express-session, @fastify/session and Sojourn, in memory and on databases. Writes the parts
# of RESULTS.md, STORES.md and ../docs/performance.md that stand between marks, and its charts; the rest of them is written by hand and kept.
#   benchmarks/run.sh          everything
#   benchmarks/run.sh http     over HTTP only
# STARTS (3), ROUNDS (5), SECONDS_EACH (1) and WARM (10, seconds of processor time) make it longer or shorter. Where others share the machine, its speed changes by half
# from one second to the next: so two programs that are compared are loaded at the same time, on the same core, and what counts is the processor time of each. Two
# processes of one program differ by up to a tenth, by where the compiler and the memory put things, so all are started anew. With MODES, some of those below, it measures
# these alone over HTTP, and writes nothing but what it prints.
set -euo pipefail
cd "$(dirname "$0")"
starts=${STARTS:-3} rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-1} WARM=${WARM:-10}
all="none builtin express fastify sojourn-memory sojourn-sqlite
  builtin-redis express-redis fastify-redis sojourn-redis sojourn-redis-near express-pg sojourn-pg express-mysql sojourn-mysql"
read -r -d '' -a modes <<< "${MODES:-$all}" || true
. ./servers.sh
trap stop_servers EXIT

need wrk redis-server postgresql mariadb-server
[ -d ../tests/express/reference/node_modules/express-session ] || (cd ../tests/express/reference && npm ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund --silent)
[ -d fastify/node_modules/fastify ] || (cd fastify && npm ci --ignore-scripts --no-audit --no-fund --silent)
http=Sojourn.Benchmarks.Http
build $http
[ "${1:-all}" = http ] || [ -n "${MODES:-}" ] || build Sojourn.Benchmarks
taskset -cp $other_core $$ > /dev/null

redis_options=(--save '' --appendonly yes --appendfsync everysec) pg_options=() mysql_options=()
declare -A address server # of a kind of database, by the end of a mode's name
# Sojourn and the npm store have tables of the same name: a database each.
for kind in redis pg mysql; do
  [[ " ${modes[*]} " == *-$kind* ]] || continue
  "start_$kind" sojourn express
  address[$kind]=$url server[$kind]=${database_pids[-1]}
done
kind_of() { local kind=${1%-near}; kind=${kind##*-}; echo "${server[$kind]:+$kind}"; }
place() { local at=${address[$1]##*[/@]}; echo "${at%:*} ${at#*:}"; }
url_of() { echo "${address[$1]}$([ "$1" = redis ] || echo /express)"; } # as Node's drivers want it
connection() { # of a mode, as .NET's drivers want it
  local kind host number; kind=$(kind_of "$1")
  [ -n "$kind" ] || { echo "Data Source=$work/sessions.db"; return; }
  read -r host number < <(place "$kind")
  case $kind in
    redis) echo "$host:$number" ;;
    pg) echo "Host=$host;Port=$number;Username=postgres;Database=sojourn;Maximum Pool Size=20" ;;
    mysql) echo "Server=$host;Port=$number;User ID=root;Database=sojourn;Maximum Pool Size=20" ;;
  esac
}
# What clients have asked of the server so far. Commands that run within a script of Redis are counted by the same names, so those of scripts are left out.
asked() {
  local host number commands; read -r host number < <(place "$(kind_of "$1")")
  case $1 in
    sojourn-redis*) commands=" get evalsha " ;;
    builtin-redis) commands=" hmget hgetall evalsha expire " ;;
    *) commands=" get set expire " ;;
  esac
  case $(kind_of "$1") in
    redis) redis-cli -p "$number" info commandstats | tr -d '\r' | awk -F'[_:=,]' -v all="$commands" '$1 == "cmdstat" && index(all, " " $2 " ") { sum += $4 } END { print sum + 0 }' ;;
    pg) psql -qAtX -h "$host" -p "$number" -U postgres -c "select xact_commit from pg_stat_database where datname = '${1%-pg}'" ;;
    mysql) mariadb -N -h "$host" -P "$number" -u root -e "select sum(variable_value) from information_schema.global_status where variable_name in ('COM_SELECT', 'COM_UPDATE', 'COM_INSERT', 'COM_REPLACE', 'COM_DELETE')" ;;
  esac
}

# Two modes, loaded at the same time.
together() { # mode mode path
  local first
  turn "$1" "/$3" $((4 * seconds)) > "$work/first" & first=$!
  turn "$2" "/$3" $((4 * seconds)) > "$work/second"
  wait $first
  echo "$1 $2 $3 $(< "$work/first") $(< "$work/second")"
}
is_measured() { [[ " ${modes[*]} " == *" $1 "* ]]; }

turns=$work/turns together=$work/together
: > "$together" # of one mode alone there are no pairs
for ((start = 1; start <= starts; start++)); do
  for mode in "${modes[@]}"; do
    kind=$(kind_of "$mode")
    case $mode in
      express* | fastify*) start_app "$mode" node "${mode%-*}/server.mjs" "${kind:-memory}" PORT ${kind:+"$(url_of "$kind")"} ;;
      *) start_app "$mode" dotnet "../artifacts/bin/$http/release/$http.dll" "$mode" PORT "$(connection "$mode")" ;;
    esac
  done
  for mode in "${modes[@]}"; do up "$mode"; seed "$mode"; done
  for mode in "${modes[@]}"; do warm "$mode" /read /write; done

  for ((round = 1; round <= rounds; round++)); do
    for path in read write; do
      for mode in "${modes[@]}"; do
        kind=$(kind_of "$mode") asked=- counts=
        # Counted in the first round alone: PostgreSQL tells the statistics of an idle connection after ten seconds.
        [ "$start $round" != "1 1" ] || counts=$kind
        settle=0; [ "$kind" != pg ] || settle=12
        if [ -n "$counts" ]; then sleep $settle; before=$(asked "$mode"); fi
        figures=$(turn "$mode" /$path "$seconds" "${server[${kind:-none}]:-}")
        if [ -n "$counts" ]; then
          sleep $settle
          asked=$(awk -v a="$before" -v b="$(asked "$mode")" -v n="${figures%% *}" 'BEGIN { printf "%.1f", (b - a) / n }')
        fi
        echo "$mode $path $figures $asked" >> "$turns"
        echo "start $start, round $round: $mode /$path: $figures" >&2
      done
      while read -r over under; do
        if is_measured "$over" && is_measured "$under"; then together "$over" "$under" $path | tee -a "$together" >&2; fi
      done < <(node report/pairs.mjs)
    done
  done
  stop_apps
done
note="The sum of $starts times $rounds turns of $seconds s each, programs started $starts times, 32 connections, 256 sessions of 1 KB; by processor time, the two of a row at the same time, $((4 * seconds)) s each turn"
if [ -n "${MODES:-}" ]; then
  node report/report.mjs "$turns" "$together" "$note"
  exit
fi
node report/report.mjs "$turns" "$together" "$note" write
node report/model.mjs
[ "${1:-all}" != http ] || exit 0

# What follows has the machine to itself.
taskset -cp $app_core,$other_core $$ > /dev/null
bench="dotnet $PWD/../artifacts/bin/Sojourn.Benchmarks/release/Sojourn.Benchmarks.dll"
for what in sqlite-commits memory-million path; do $bench $what > "$work/$what"; cat "$work/$what" >&2; done
$bench path near > "$work/near"
(cd "$work" && $bench --filter '*' --join --job short --inProcess > bdn.log 2>&1) || tail -20 "$work/bdn.log" >&2
result() { awk '$1 == "RESULT" { print $2 }' "$work/$1"; }
{
  echo "| measured | ratio | target |"
  echo "| --- | --- | --- |"
  echo "| SQLite, durable commits a second: 64 waiters / one waiter | $(result sqlite-commits) | 20 or more |"
  echo "| memory store, 1,000,000 sessions of 1 KB: heap / payload | $(result memory-million) | 1.3 or less |"
} | node report/publish.mjs RESULTS.md stores
{
  echo "The middleware on a response that goes nowhere, over the memory store, processor time and bytes a request (\`none\` is the bare pipeline):"
  echo
  sed 's/^/- /' "$work/path"
  sed -n 's/^\(read\|write\)/- with a near cache, &/p' "$work/near"
  echo
  sed -n '/^|/p' "$work"/BenchmarkDotNet.Artifacts/results/*-report-github.md || true
} | node report/publish.mjs RESULTS.md process
