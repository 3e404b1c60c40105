# To be sourced: programs that answer over HTTP, and turns of load on them. The applications have one core; the client and the databases share the other.
#   start_app name program [argument]...   starts a program; PORT among its arguments becomes a port of its own, kept in port[name], its process in app[name]
#   up name                                waits until it answers
#   seed name                              makes 256 sessions there, whose cookies are kept in $work/name.headers
#   warm name path...                      loads it until it has had WARM (15) seconds of processor time: the compiler's last tier is reached then
#   load name path seconds connections     one load; prints requests, seconds, p50 and p99 in µs. visitors=… takes the cookies of another name
#   turn name path seconds [database]      a load of 32 connections; prints requests, seconds, hundredths of a second of processor time of the application and of the
#                                          database whose process was given, p50, p99, bytes allocated (-: unknown)
#   stop_apps                              ends the programs by process id
#   stop_servers                           ends programs and databases by process id, and removes the files of the run
. ../eng/databases.sh
app_core=0 other_core=1
work=$(mktemp -d)
declare -A port=() app=()

need() { # package...
  local missing=() package
  for package; do dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] || apt-get install -y --no-install-recommends "${missing[@]}" > /dev/null
}

build() { dotnet build -c Release -v q --nologo "$1/$1.csproj" > "$work/build" || { cat "$work/build"; return 1; }; }

stop_apps() {
  [ ${#app[@]} -eq 0 ] || { kill "${app[@]}" 2> /dev/null || true; wait "${app[@]}" 2> /dev/null || true; }
  app=()
}

stop_servers() {
  stop_apps
  stop_databases
  rm -rf "$work"
}

start_app() {
  local name=$1; shift
  port[$name]=$(free_port)
  # The compiler counts calls from the start, so that its last tier is reached in seconds. Threads of .NET's pool that have nothing to do sleep at once: they spin by
  # default, which is processor time, and no work.
  DOTNET_TC_CallCountingDelayMs=0 DOTNET_ThreadPool_UnfairSemaphoreSpinLimit=0 NODE_ENV=production taskset -c $app_core "${@/#PORT/${port[$name]}}" > "$work/$name.log" 2>&1 &
  app[$name]=$!
}

up() {
  until curl -sf -o /dev/null "http://127.0.0.1:${port[$1]}/seed"; do
    kill -0 "${app[$1]}" 2> /dev/null || { head -20 "$work/$1.log" >&2; return 1; }
    sleep 0.1
  done
}

seed() { curl -sf -o /dev/null -D "$work/$1.headers" "http://127.0.0.1:${port[$1]}/seed?[1-256]"; }

# Processor time that a process and its children have used, those that have ended since included, in hundredths of a second.
ticks() { [ -z "$1" ] && echo 0 || cat /proc/[0-9]*/stat 2> /dev/null | sed 's/(.*)/x/' | awk -v p="$1" '$1 == p || $4 == p { sum += $14 + $15 } $1 == p { sum += $16 + $17 } END { print sum + 0 }'; }

allocated() { curl -sf "http://127.0.0.1:${port[$1]}/allocated" || echo -; }

load() {
  wrk -t1 -c"$4" -d"${3}s" -s visitors.lua "http://127.0.0.1:${port[$1]}$2" -- "$work/${visitors:-$1}.headers" | awk -v name="$1" '
    $1 == "RESULT" { if ($4 > 0 || $2 == 0) { print name ": " $4 " requests failed" > "/dev/stderr"; exit 1 }
      print $2, $3, $5, $6; found = 1 }
    END { exit !found }'
}

turn() {
  local name=$1 path=$2 length=$3 database=${4:-} bytes spent served requests elapsed p50 p99
  bytes=$(allocated "$name") spent=$(ticks "${app[$name]}") served=$(ticks "$database")
  read -r requests elapsed p50 p99 < <(load "$name" "$path" "$length" 32)
  spent=$(($(ticks "${app[$name]}") - spent)) served=$(($(ticks "$database") - served))
  [ "$bytes" = - ] || bytes=$(($(allocated "$name") - bytes))
  echo "$requests $elapsed $spent $served $p50 $p99 $bytes"
}

warm() {
  local name=$1 path i from; shift
  from=$(ticks "${app[$name]}")
  for ((i = 0; i < 20 && $(ticks "${app[$name]}") - from < ${WARM:-15} * 100; i++)); do
    for path; do turn "$name" "$path" 2 > /dev/null; done
  done
}
