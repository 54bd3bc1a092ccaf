#!/usr/bin/env bash
# What a second run costs from start to end, without and with its page: seconds, the median of five each, features from the cache.
# Usage: [GRAFT=COMMAND] bench/second_run.sh PHOTOS [OPTION OF graft train…]
set -euo pipefail
graft=${GRAFT:-dotnet "$(dirname "$0")/../src/Graft.Cli/bin/Release/net10.0/Graft.Cli.dll"}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
$graft train "$@" --out "$folder/first" >/dev/null 2>&1
for page in --no-report ""; do
    for i in 1 2 3 4 5; do
        rm -rf "$folder/run"
        start=$(date +%s.%N)
        $graft train "$@" $page --out "$folder/run" >/dev/null 2>&1
        echo "$(date +%s.%N) $start" | awk '{ printf "%.2f\n", $1 - $2 }'
    done | sort -n | sed -n 3p | sed "s/^/${page:-with report.html}: /"
done
start=$(date +%s.%N)
$graft report "$folder/first" >/dev/null
echo "$(date +%s.%N) $start" | awk '{ printf "graft report, heat maps included: %.2f\n", $1 - $2 }'
