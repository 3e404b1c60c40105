#!/usr/bin/env bash
# Measures one session that 1,000 requests change at once, in memory and at one, two and four applications on one Redis, and what visitors of other sessions see of it
# meanwhile. Writes its part of SCALE.md. WRITERS=1000 makes it larger or smaller.
set -euo pipefail
cd "$(dirname "$0")"
writers=${WRITERS:-1000}
. ./servers.sh
trap stop_servers EXIT
need redis-server
build Sojourn.Benchmarks
start_redis
hot() { dotnet ../artifacts/bin/Sojourn.Benchmarks/release/Sojourn.Benchmarks.dll hot-session "$writers" "$@"; }
{
  echo "| store | applications | changes at once | refused | landed | done again, each | all of them, ms | others alone, p50 / p99, ms | others meanwhile, p50 / p99, ms |"
  echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
  hot 1
  for applications in 1 2 4; do hot $applications "${url#redis://}"; done
} > "$work/table"
node report/publish.mjs SCALE.md hot < "$work/table"
cat "$work/table"
