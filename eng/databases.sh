# To be sourced: databases on loopback for scripts that need some.
#   start_redis|start_pg|start_mysql|start_mongo [name]...   starts a server, makes databases of these names, and sets url, which lacks the database
#   start_redis_cluster                                      six nodes; url names them all
#   stop_databases                                           ends what was started, by process id, and removes its files
# What is set in the arrays redis_options, pg_options and mysql_options is handed to the server. Processes are in database_pids.
databases_directory=$(mktemp -d)
database_pids=()
redis_options=(--save '' --appendonly no) pg_options=(-c fsync=off) mysql_options=(--innodb-flush-log-at-trx-commit=0)

free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }

stop_databases() {
  [ ${#database_pids[@]} -eq 0 ] || { kill "${database_pids[@]}" 2> /dev/null || true; wait "${database_pids[@]}" 2> /dev/null || true; }
  rm -rf "$databases_directory"
}

# Waits until a command succeeds, or the server that was just started is gone.
until_database() {
  until "$@" > /dev/null 2>&1; do
    kill -0 "${database_pids[-1]}" 2> /dev/null || { cat "$databases_directory"/*.log >&2; return 1; }
    sleep 0.1
  done
}

start_redis() {
  local port; port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --dir "$databases_directory" "${redis_options[@]}" > "$databases_directory/redis.log" &
  database_pids+=($!)
  until_database redis-cli -p "$port" ping
  url=redis://127.0.0.1:$port
}

# Three primaries with a replica each; url names all six.
start_redis_cluster() {
  local number port ports=()
  for number in 1 2 3 4 5 6; do
    port=$(free_port)
    mkdir "$databases_directory/node$number"
    redis-server --port "$port" --bind 127.0.0.1 --dir "$databases_directory/node$number" "${redis_options[@]}" \
      --cluster-enabled yes --cluster-port "$(free_port)" --cluster-node-timeout 2000 > "$databases_directory/node$number.log" &
    database_pids+=($!)
    until_database redis-cli -p "$port" ping
    ports+=("$port")
  done
  redis-cli --cluster create $(for port in "${ports[@]}"; do echo "127.0.0.1:$port@$(redis-cli -p "$port" config get cluster-port | tail -1)"; done) \
    --cluster-replicas 1 --cluster-yes > "$databases_directory/cluster.log"
  for port in "${ports[@]}"; do until_database sh -c "redis-cli -p $port cluster info | grep -q cluster_state:ok"; done
  url=$(printf ',127.0.0.1:%s' "${ports[@]}")
  url=redis://${url#,}
}

# PostgreSQL refuses to run as root, MariaDB gives root's rights up: their directories are not root's.
start_pg() {
  local port programs directory=$databases_directory/pg as=(); port=$(free_port) programs=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
  mkdir "$directory"
  if [ "$(id -u)" -eq 0 ]; then chmod 755 "$databases_directory"; chown postgres "$directory"; as=(setpriv --reuid=postgres --regid=postgres --init-groups); fi
  "${as[@]}" "$programs/initdb" -D "$directory/data" -A trust -U postgres --no-sync -E UTF8 > "$directory.log"
  "${as[@]}" "$programs/postgres" -D "$directory/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$directory" "${pg_options[@]}" >> "$directory.log" 2>&1 &
  database_pids+=($!)
  sql=(psql -qAtX -h 127.0.0.1 -p "$port" -U postgres -c)
  until_database "${sql[@]}" 'select 1'
  for name; do "${sql[@]}" "create database $name"; done
  url=postgres://postgres@127.0.0.1:$port
}

start_mysql() {
  local port directory=$databases_directory/mysql as=(); port=$(free_port)
  mkdir "$directory"
  if [ "$(id -u)" -eq 0 ]; then chmod 755 "$databases_directory"; chown mysql "$directory"; as=(--user=mysql); fi
  mariadb-install-db --no-defaults "${as[@]}" --datadir="$directory/data" --auth-root-authentication-method=normal --skip-test-db > "$directory.log" 2>&1
  mariadbd --no-defaults "${as[@]}" --datadir="$directory/data" --port="$port" --bind-address=127.0.0.1 --socket="$directory/s" "${mysql_options[@]}" >> "$directory.log" 2>&1 &
  database_pids+=($!)
  sql=(mariadb -N -h 127.0.0.1 -P "$port" -u root -e)
  until_database "${sql[@]}" 'select 1'
  for name; do "${sql[@]}" "create database $name"; done
  url=mysql://root@127.0.0.1:$port
}

# A stand-in, which makes databases by itself: see tests/mini-mongod.
start_mongo() {
  local port directory; port=$(free_port) directory=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/mini-mongod" && pwd)
  [ -d "$directory/node_modules" ] || npm --prefix "$directory" ci --ignore-scripts --no-audit --no-fund --silent
  node "$directory/mini-mongod.mjs" "$port" > "$databases_directory/mongo.log" &
  database_pids+=($!)
  until_database bash -c "exec 3<> /dev/tcp/127.0.0.1/$port"
  url=mongodb://127.0.0.1:$port
}
