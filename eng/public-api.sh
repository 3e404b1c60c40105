#!/usr/bin/env bash
# Brings every PublicAPI.Unshipped.txt up to what the code says, so that a change of the public API shows in review as one line.
set -euo pipefail
cd "$(dirname "$0")/.."
for project in src/*/*.csproj; do
  folder=$(dirname "$project")
  printf '#nullable enable\n' > "$folder/PublicAPI.Unshipped.txt"
  log=$(dotnet build "$project" --no-incremental -p:TreatWarningsAsErrors=false 2>&1 || true)
  grep -F "$folder/" <<< "$log" | sed -nE "s/.*warning RS0016: Symbol '(.*)' is not part of the declared public API.*/\1/p" | LC_ALL=C sort -u >> "$folder/PublicAPI.Unshipped.txt" || true
done
