#!/usr/bin/env bash
# Measures what a session costs as sessions grow, in memory and in Redis, PostgreSQL and MariaDB, and writes its parts of SCALE.md.
# Starts its own servers on loopback and stops them by process id.
#   SIZES="1000 100000 1000000", MEMORY_SIZES="1000 100000 1000000 10000000", ROUNDS=20 and CALLS=2000 (of each kind, size and round; in memory a hundred times as many) make it longer or shorter;
#   STORES="memory redis" measures these alone and writes nothing. Ten million sessions take 6 GB of memory.
set -euo pipefail
cd "$(dirname "$0")"
sizes=${SIZES:-1000 100000 1000000} memory_sizes=${MEMORY_SIZES:-1000 100000 1000000 10000000} rounds=${ROUNDS:-20} calls=${CALLS:-2000}
. ../eng/databases.sh
rows=$(mktemp)
trap 'stop_databases; rm -f "$rows"' EXIT
mysql_options=(--innodb-buffer-pool-size=2G --innodb-log-file-size=1G --innodb-flush-log-at-trx-commit=0) pg_options=(-c fsync=off -c shared_buffers=1GB -c max_wal_size=4GB)
dotnet build -c Release -v q --nologo Sojourn.Benchmarks

databases=(); for size in $sizes; do databases+=("scale$size"); done
for store in ${STORES:-memory redis pg mysql}; do
  connection=- pid=0 of=$sizes each=$calls
  case $store in
    memory) of=$memory_sizes each=$((100 * calls)) ;;
    *) "start_$store" "${databases[@]}"; pid=${database_pids[-1]} ;;
  esac
  case $store in
    redis) connection=${url#redis://} ;;
    pg) connection="Host=127.0.0.1;Port=${url##*:};Username=postgres" ;;
    mysql) connection="Server=127.0.0.1;Port=${url##*:};User ID=root" ;;
  esac
  dotnet ../artifacts/bin/Sojourn.Benchmarks/release/Sojourn.Benchmarks.dll scale "$store" "$connection" "$pid" "$of" "$rounds" "$each" | tee -a "$rows"
done
[ -z "${STORES:-}" ] || exit 0

table() { # name head...: the rows of that name
  local name=$1; shift
  printf '%s\n' "$@"
  sed -n "s/^$name / /p" "$rows" | sed 's/^ //'
}
{
  echo "$rounds turns of $calls calls of each kind and size (in memory a hundred times as many)."
  echo
  table cost "| store | sessions | bytes | read, µs | ratio | write, µs | ratio | start, µs | ratio |" "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
} | node report/publish.mjs SCALE.md stores
table prune "| store | sessions | nothing expired, ms | expired | for each, µs |" "| --- | --- | --- | --- | --- |" | node report/publish.mjs SCALE.md prune
cat SCALE.md
node report/model.mjs
