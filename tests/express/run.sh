#!/usr/bin/env bash
# Compares Sojourn with the real express-session; the last line is "N passed, N failed, N skipped", skipped being the declared deviations.
# Needs the built solution (Release). Arguments are handed to the recorder, such as --filter 'cookie-.*'.
set -euo pipefail
cd "$(dirname "$0")"
[ -d reference/node_modules/express-session ] || (cd reference && npm ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund --silent)
recordings=$(mktemp -d)
trap 'rm -rf "$recordings"' EXIT
node run.mjs --launch "node reference/app.mjs" --out "$recordings/express.json" --quiet "$@"
node run.mjs --launch "dotnet $PWD/../../artifacts/bin/Sojourn.ExpressConformance/release/Sojourn.ExpressConformance.dll" --out "$recordings/sojourn.json" "$@"
node diff.mjs "$recordings/express.json" "$recordings/sojourn.json" --deviations deviations.json
