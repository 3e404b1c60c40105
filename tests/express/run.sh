#!/usr/bin/env bash
# Compares Sojourn with the real express-session, in memory and on the databases of the npm stores; the last line is
# "N passed, N failed, N skipped", skipped being the declared deviations.
# Needs the built solution (Release), Redis, PostgreSQL and MariaDB. Arguments are handed to the recorder, such as --filter 'cookie-.*'; STORES="mysql mongo" runs on the others.
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

# The databases of the recorder's jobs, made by a command that is given each one's name.
make_databases() { local job; for job in 0 1 2 3; do "$@" "$job"; done; }
start_pg() {
  local port programs; port=$(free_port) programs=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
  local as=(); [ "$(id -u)" -ne 0 ] || { chmod 755 "$directory"; as=(setpriv --reuid=postgres --regid=postgres --init-groups); }
  mkdir "$directory/pg"; [ ${#as[@]} -eq 0 ] || chown postgres "$directory/pg"
  "${as[@]}" "$programs/initdb" -D "$directory/pg/data" -A trust -U postgres --no-sync -E UTF8 > "$directory/pg.log"
  "${as[@]}" "$programs/postgres" -D "$directory/pg/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$directory/pg" -c fsync=off >> "$directory/pg.log" 2>&1 &
  servers+=($!)
  until psql -qX -h 127.0.0.1 -p "$port" -U postgres -c 'select 1' > /dev/null 2>&1; do sleep 0.1; done
  create() { psql -qX -h 127.0.0.1 -p "$port" -U postgres -c "create database job$1"; }
  make_databases create
  url="postgres://postgres@127.0.0.1:$port/job{job}"
}
start_mysql() {
  local port; port=$(free_port)
  local as=(); [ "$(id -u)" -ne 0 ] || { chmod 755 "$directory"; as=(--user=mysql); }
  mkdir "$directory/mysql"; [ ${#as[@]} -eq 0 ] || chown mysql "$directory/mysql"
  mariadb-install-db --no-defaults "${as[@]}" --datadir="$directory/mysql/data" --auth-root-authentication-method=normal --skip-test-db > "$directory/mysql.log" 2>&1
  mariadbd --no-defaults "${as[@]}" --datadir="$directory/mysql/data" --port="$port" --bind-address=127.0.0.1 --socket="$directory/mysql/s" --innodb-flush-log-at-trx-commit=0 >> "$directory/mysql.log" 2>&1 &
  servers+=($!)
  until mariadb -h 127.0.0.1 -P "$port" -u root -e 'select 1' > /dev/null 2>&1; do sleep 0.1; done
  create() { mariadb -h 127.0.0.1 -P "$port" -u root -e "create database job$1"; }
  make_databases create
  url="mysql://root@127.0.0.1:$port/job{job}"
}
# A stand-in: see tests/mini-mongod.
start_mongo() {
  local port; port=$(free_port)
  [ -d ../mini-mongod/node_modules ] || npm --prefix ../mini-mongod ci --ignore-scripts --no-audit --no-fund --silent
  node ../mini-mongod/mini-mongod.mjs "$port" > "$directory/mongo.log" &
  servers+=($!)
  until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do sleep 0.05; done
  url="mongodb://127.0.0.1:$port/job{job}"
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

for store in ${STORES:-memory redis pg}; do compare "$store" "$@"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
