#!/usr/bin/env bash
# Publishes tests/Sojourn.AotApp natively and as it is by default, and measures both: time to the first answered request, memory, size on disk. Writes its part of
# ../docs/performance.md. ROUNDS (10) starts of each, in turn; REQUESTS (20000) before the memory is read.
set -euo pipefail
cd "$(dirname "$0")"
rounds=${ROUNDS:-10} requests=${REQUESTS:-20000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missing=()
command -v clang > /dev/null || missing+=(clang)
[ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
[ ${#missing[@]} -eq 0 ] || apt-get install -y --no-install-recommends "${missing[@]}" > /dev/null

publish() { # folder option...
  local folder=$PWD/../artifacts/$1; shift
  rm -rf "$folder/publish"
  dotnet publish ../tests/Sojourn.AotApp/Sojourn.AotApp.csproj -c Release -r linux-x64 --artifacts-path "$folder" --nologo -v q "$@" > "$work/publish" || { cat "$work/publish"; return 1; }
  ls -d "$folder"/publish/*/release_linux-x64
}
native=$(publish native-aot) jit=$(publish jit -p:PublishAot=false --self-contained false)
for ((round = 1; round <= rounds; round++)); do
  node report/start.mjs "$requests" "$native/Sojourn.AotApp" | tee -a "$work/native"
  node report/start.mjs "$requests" dotnet "$jit/Sojourn.AotApp.dll" | tee -a "$work/jit"
done

# Without symbols; the framework that the default one needs is installed once for all programs of a machine.
size() { find "$@" -type f ! -name '*.dbg' ! -name '*.pdb' -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum / 1e6 }'; }
framework=$(dotnet --list-runtimes | awk '$2 ~ /^10\./ && ($1 == "Microsoft.NETCore.App" || $1 == "Microsoft.AspNetCore.App") { at[$1] = substr($3, 2, length($3) - 2) "/" $2 } END { for (name in at) print at[name] }')
median() { awk -v column="$2" '{ print $column }' "$work/$1" | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
row() { echo "| $1 | $2 | $3 | $(awk -v a="$2" -v b="$3" 'BEGIN { printf "%.2f", a / b }') |"; }
{
  echo "The median of $rounds starts each, in turn."
  echo
  echo "| | native | default | native / default |"
  echo "| --- | --- | --- | --- |"
  row "start to the first answered request, ms" "$(median native 1)" "$(median jit 1)"
  row "processor time until then, ms" "$(median native 2)" "$(median jit 2)"
  row "memory after it, MB" "$(median native 3)" "$(median jit 3)"
  row "memory after $requests requests, MB" "$(median native 4)" "$(median jit 4)"
  row "processor time of a request that changes its session, µs" "$(median native 5)" "$(median jit 5)"
  row "on disk, the framework included, MB" "$(size "$native")" "$(size "$jit" $framework)"
  echo "| of that, the program, MB | $(size "$native") | $(size "$jit") | |"
} > "$work/table"
node report/publish.mjs ../docs/performance.md aot < "$work/table"
cat "$work/table"
