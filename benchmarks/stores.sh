#!/usr/bin/env bash
# Measures Sojourn on Redis, PostgreSQL and MariaDB beside ASP.NET Core's own session on the same Redis and express-session on the same servers, in one
# run, and writes STORES.md. What stands there from the line <!-- notes --> on is written by hand and kept.
# ROUNDS (10) and SECONDS_EACH (1) make it longer or shorter; with MODES, some of those below, it measures these alone and writes nothing but what it prints.
# Starts its own servers on loopback and stops them by process id.
set -euo pipefail
cd "$(dirname "$0")"
rounds=${ROUNDS:-10}
seconds=${SECONDS_EACH:-1}
app_core=0
other_core=1
read -r -a modes <<< "${MODES:-builtin-redis sojourn-redis express-redis sojourn-pg express-pg sojourn-mysql express-mysql}"
declare -A port server pid requests elapsed processor commands
work=$(mktemp -d)
stop() {
  for p in "${pid[@]}" "${server[@]}"; do kill "$p" 2> /dev/null || true; done
  wait
  rm -rf "$work"
}
trap stop EXIT

missing=()
for package in wrk redis-server mariadb-server; do dpkg -s $package > /dev/null 2>&1 || missing+=($package); done
ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || missing+=(postgresql)
[ ${#missing[@]} -eq 0 ] || apt-get install -y --no-install-recommends "${missing[@]}" > /dev/null
[ -d ../tests/express/reference/node_modules/express-session ] || (cd ../tests/express/reference && npm ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund --silent)
http=Sojourn.Benchmarks.Http
dotnet build -c Release -v q --nologo $http/$http.csproj > "$work/build" || { cat "$work/build"; exit 1; }

redis_port=5931 pg_port=5932 mysql_port=5933
chmod 755 "$work"
taskset -c $other_core redis-server --port $redis_port --bind 127.0.0.1 --dir "$work" --save '' --appendonly yes --appendfsync everysec > "$work/redis.log" &
server[redis]=$!
pg=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
install -d -o postgres "$work/pg"
runuser -u postgres -- "$pg/initdb" -D "$work/pg/data" -A trust -U postgres -E UTF8 > "$work/pg.log"
taskset -c $other_core runuser -u postgres -- "$pg/postgres" -D "$work/pg/data" -p $pg_port -c listen_addresses=127.0.0.1 -c unix_socket_directories="$work/pg" >> "$work/pg.log" 2>&1 &
server[pg]=$!
install -d -o mysql "$work/mysql"
mariadb-install-db --no-defaults --user=mysql --datadir="$work/mysql/data" --auth-root-authentication-method=normal --skip-test-db > "$work/mysql.log"
taskset -c $other_core mariadbd --no-defaults --user=mysql --datadir="$work/mysql/data" --port=$mysql_port --bind-address=127.0.0.1 --socket="$work/mysql/s.sock" >> "$work/mysql.log" 2>&1 &
server[mysql]=$!
psql() { command psql -qAtX -h 127.0.0.1 -p $pg_port -U postgres "$@"; }
mariadb() { command mariadb -N -h 127.0.0.1 -P $mysql_port -u root "$@"; }
until psql -c 'select 1' > /dev/null 2>&1 && mariadb -e 'select 1' > /dev/null 2>&1; do sleep 0.2; done
# Sojourn and the npm store have tables of the same name: a database each.
for name in sojourn express; do psql -c "create database $name"; mariadb -e "create database $name"; done

# Commands that a client of Redis sends; those that run within its scripts are counted by the same names.
commands_of() {
  case $1 in
    sojourn-redis) echo " get evalsha " ;;
    builtin-redis) echo " hmget hgetall evalsha expire " ;;
    express-redis) echo " get set expire " ;;
  esac
}
# What clients have asked of a server so far.
asked() {
  case $1 in
    *-redis) redis-cli -p $redis_port info commandstats | tr -d '\r' | awk -F'[_:=,]' -v all="$(commands_of "$1")" '$1 == "cmdstat" && index(all, " " $2 " ") { sum += $4 } END { print sum + 0 }' ;;
    *-pg) psql -c "select xact_commit from pg_stat_database where datname = '${1%-pg}'" ;;
    *-mysql) mariadb -e "select sum(variable_value) from information_schema.global_status where variable_name in ('COM_SELECT', 'COM_UPDATE', 'COM_INSERT', 'COM_REPLACE', 'COM_DELETE')" ;;
  esac
}
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }
measure() {
  local mode=$1 path=$2 length=$3 before after result
  before=$(ticks "${pid[$mode]}")
  result=$(taskset -c $other_core wrk -t1 -c32 -d"${length}s" -s visitors.lua "http://127.0.0.1:${port[$mode]}$path" -- "$work/$mode.headers" | grep ^RESULT)
  after=$(ticks "${pid[$mode]}")
  echo "$result" | awk -v ticks=$((after - before)) -v mode="$mode" '
    { if ($4 > 0 || $2 == 0) { print mode ": " $4 " requests failed" > "/dev/stderr"; exit 1 }
      print $2, $3, ticks }'
}

next=5941
for mode in "${modes[@]}"; do
  port[$mode]=$((next++))
  case $mode in
    *-redis) connection=127.0.0.1:$redis_port url=redis://127.0.0.1:$redis_port ;;
    *-pg) connection="Host=127.0.0.1;Port=$pg_port;Username=postgres;Database=sojourn;Maximum Pool Size=20" url=postgres://postgres@127.0.0.1:$pg_port/express ;;
    *-mysql) connection="Server=127.0.0.1;Port=$mysql_port;User ID=root;Database=sojourn;Maximum Pool Size=20" url=mysql://root@127.0.0.1:$mysql_port/express ;;
  esac
  case $mode in
    express-*) NODE_ENV=production taskset -c $app_core node express/server.mjs "${mode#express-}" "${port[$mode]}" "$url" > "$work/$mode.log" 2>&1 & ;;
    *) DOTNET_TC_CallCountingDelayMs=0 taskset -c $app_core dotnet "../artifacts/bin/$http/release/$http.dll" "$mode" "${port[$mode]}" "$connection" > "$work/$mode.log" 2>&1 & ;;
  esac
  pid[$mode]=$!
done
for mode in "${modes[@]}"; do
  curl -sf --retry 50 --retry-connrefused --retry-delay 1 -o /dev/null "http://127.0.0.1:${port[$mode]}/seed" || { cat "$work/$mode.log" >&2; exit 1; }
  curl -sf -o /dev/null -D "$work/$mode.headers" "http://127.0.0.1:${port[$mode]}/seed?[1-256]"
done
for mode in "${modes[@]}"; do
  for ((i = 0; i < 10 && $(ticks "${pid[$mode]}") < 1200; i++)); do
    measure "$mode" /read 2 > /dev/null
    measure "$mode" /write 2 > /dev/null
  done
done
for ((round = 1; round <= rounds; round++)); do
  for path in /read /write; do
    for mode in "${modes[@]}"; do
      at=$mode$path
      # PostgreSQL tells the statistics of an idle connection after ten seconds: counted in the first round alone, with time to settle.
      settle=0; [[ $mode = *-pg ]] && settle=12
      if [ $round -eq 1 ]; then sleep $settle; before=$(asked "$mode"); fi
      read -r n t c < <(measure "$mode" $path "$seconds")
      if [ $round -eq 1 ]; then sleep $settle; commands[$at]=$(awk -v a="$before" -v b="$(asked "$mode")" -v n="$n" 'BEGIN { printf "%.1f", (b - a) / n }'); fi
      echo "round $round: $mode $path: $n requests in $t s, $c hundredths of a second of processor time" >&2
      requests[$at]=$((${requests[$at]:-0} + n))
      elapsed[$at]=$(awk -v a="${elapsed[$at]:-0}" -v b="$t" 'BEGIN { print a + b }')
      processor[$at]=$((${processor[$at]:-0} + c))
    done
  done
done

row() { # one mode and path over another, and the target
  [ -n "${requests[$1$2]:-}" ] && [ -n "${requests[$3$2]:-}" ] || return 0
  awk -v a="$1" -v b="$3" -v path="$2" -v target="$4" -v an="${requests[$1$2]}" -v bn="${requests[$3$2]}" \
    -v ac="${processor[$1$2]}" -v bc="${processor[$3$2]}" -v at="${elapsed[$1$2]}" -v bt="${elapsed[$3$2]}" -v am="${commands[$1$2]}" -v bm="${commands[$3$2]}" \
    'BEGIN { printf "| `%s`%s / `%s`%s | %.2f | %.2f | %s | %s / %s |\n", a, path, b, path, an / ac / (bn / bc), an / at / (bn / bt), target, am, bm }'
}
notes=$(sed -n '/^<!-- notes -->/,$p' STORES.md 2> /dev/null || true)
{
  echo "# Sessions on database servers, side by side"
  echo
  echo "Written by \`benchmarks/stores.sh\`: the sum of $rounds turns of $seconds s each, modes in turn, 32 connections, 256 sessions of 1 KB. The application has one core,"
  echo "the client and the database share the other. \`builtin-redis\` is ASP.NET Core's own session over \`AddStackExchangeRedisCache\`, \`express-…\` is express-session"
  echo "with the npm store of that database. *By processor time*: requests for each second of processor time that the application used; *by the clock*:"
  echo "requests a second, which the database bounds too. *Asked*: commands or statements of clients, counted by the server, for each request."
  echo
  echo "| requests | by processor time | by the clock | target | asked |"
  echo "| --- | --- | --- | --- | --- |"
  for path in /read /write; do
    row sojourn-redis $path builtin-redis 2
    row sojourn-redis $path express-redis 3
    row sojourn-pg $path express-pg 3
    row sojourn-mysql $path express-mysql 3
  done
  echo
  echo "${notes:-<!-- notes -->}"
} > "$work/STORES.md"
cat "$work/STORES.md"
[ -n "${MODES:-}" ] || cp "$work/STORES.md" STORES.md
