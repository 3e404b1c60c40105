#!/usr/bin/env bash
# Builds everything once, checks the formatting, and runs every test suite. Ends with the line "N passed, N failed".
#   ./test.sh                  all suites
#   ./test.sh Sojourn.Tests    the named ones; "express" compares with the real express-session
#   ./test.sh --full           races of 5000 rounds instead of 200, and 10000 schedules of the race book on every store
set -uo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_UI_LANGUAGE=en DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
# A registry that stalls is asked again after half a minute; by default npm waits five for each package.
export npm_config_fetch_timeout=30000 npm_config_fetch_retries=5

# A suite that does not end is ended; none takes a third of this.
patience=40m
suites=()
for argument in "$@"; do
  case $argument in
    --full) export SOJOURN_RACE_ROUNDS=5000 SOJOURN_RACES=10000; patience=0 ;;
    -*) echo "Unknown option $argument" >&2; exit 2 ;;
    *) suites+=("$argument") ;;
  esac
done
if [ ${#suites[@]} -eq 0 ]; then
  for project in tests/*.Tests; do suites+=("$(basename "$project")"); done
  suites+=(express)
fi

passed=0 failed=0 skipped=0
failures=$(mktemp)
fail() { echo "FAILED: $1" | tee -a "$failures"; failed=$((failed + 1)); }

# The stores' tests start their own servers; the browser tests drive chromium; native AOT publishing links with clang and zlib; express-session runs on Node.
missing=()
command -v npm > /dev/null || missing+=(nodejs npm)
command -v redis-server > /dev/null || missing+=(redis-server)
command -v redis-sentinel > /dev/null || missing+=(redis-sentinel)
[ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2> /dev/null)" ] || missing+=(postgresql)
command -v mariadbd > /dev/null || missing+=(mariadb-server)
command -v chromium > /dev/null || missing+=(chromium)
command -v clang > /dev/null || missing+=(clang)
[ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
if [ ${#missing[@]} -gt 0 ]; then
  sudo=; [ "$(id -u)" -eq 0 ] || sudo=sudo
  { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } > /dev/null \
    || fail "installing ${missing[*]}"
fi

if dotnet build Sojourn.slnx -c Release; then
  dotnet format Sojourn.slnx --verify-no-changes --no-restore || fail "formatting: run dotnet format"
  for suite in "${suites[@]}"; do
    echo "== $suite"
    log=$(mktemp)
    if [ "$suite" = express ]; then
      timeout --foreground --kill-after=1m "$patience" tests/express/run.sh 2>&1 | tee "$log"
      status=${PIPESTATUS[0]}
      # The comparison's last line, in the words of the others.
      sed -nE '$ s/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/  total: \1\n  succeeded: \1\n  failed: \2\n  skipped: 0\4/p' "$log" >> "$log.summary"
      mv "$log.summary" "$log"
    else
      timeout --foreground --kill-after=1m "$patience" dotnet exec "artifacts/bin/$suite/release/$suite.dll" --no-ansi --progress off 2>&1 | tee "$log"
      status=${PIPESTATUS[0]}
    fi
    count() { sed -nE "s/^  $1: ([0-9]+)$/\1/p" "$log" | tail -1; }
    total=$(count total) suite_failed=$(count failed)
    suite_passed=$(count succeeded) suite_skipped=$(count skipped)
    passed=$((passed + ${suite_passed:-0}))
    skipped=$((skipped + 10#${suite_skipped:-0}))
    failed=$((failed + ${suite_failed:-0}))
    # What failed, and why, is said again at the end, where it is looked for.
    grep -E -A5 '^(failed|FAIL) ' "$log" | cut -c1-300 | sed "s/^/$suite: /" >> "$failures"
    rm -f "$log"
    if [ "${total:-0}" -eq 0 ]; then fail "$suite ran no tests (exit code $status)"
    elif [ "$status" -ne 0 ] && [ "${suite_failed:-0}" -eq 0 ]; then fail "$suite ended with exit code $status"
    fi
  done
else
  fail "build"
fi

[ "$skipped" -eq 0 ] || echo "$skipped skipped: listed above with their reasons."
cat "$failures"
rm -f "$failures"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
