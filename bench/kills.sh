#!/usr/bin/env bash
# Kills random ranks at random moments, resumes on one to three ranks, and compares each finished run with the undisturbed one: largest relative difference of
# a loss in history.csv.
# Usage: bench/kills.sh PHOTOS KILLS SECONDS [OPTION OF graft train…]     SECONDS: the longest time before a kill
set -euo pipefail
photos=$1 kills=$2 longest=$3
shift 3
graft=${GRAFT:-dotnet $(dirname "$0")/../src/Graft.Cli/bin/Release/net10.0/Graft.Cli.dll}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
options=("$@")
start() { mpirun --allow-run-as-root --oversubscribe --bind-to none -n "$1" $graft train "${@:2}" --no-report > "$folder/log" 2>&1; }

start 2 "$photos" "${options[@]}" --threads 1 --out "$folder/undisturbed" || { cat "$folder/log"; exit 1; }
done=0 run=0 named=0
while [ "$done" -lt "$kills" ]; do
    run=$((run + 1))
    arguments=("$photos" "${options[@]}" --threads 1 --out "$folder/run-$run")
    until [ -f "$folder/run-$run/result.json" ]; do
        ranks=$((RANDOM % 3 + 1))
        start "$ranks" "${arguments[@]}" &
        job=$!
        sleep "$(awk "BEGIN { srand($RANDOM); print 0.5 + rand() * $longest }")"
        launcher=$(pgrep -P $job mpirun || true)
        victim=$(pgrep -P "${launcher:-0}" | sed -n "$((RANDOM % ranks + 1))p" || true)
        if [ "$done" -lt "$kills" ] && [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null; then done=$((done + 1)); fi
        wait $job || true
        if grep -qE "process rank [0-9]+ with PID" "$folder/log"; then named=$((named + 1)); fi
        # Where it was killed before it began there is nothing to resume.
        if [ -f "$folder/run-$run/run.json" ]; then arguments=(--resume "$folder/run-$run"); else rm -rf "$folder/run-$run"; fi
    done
    paste -d, "$folder/undisturbed/history.csv" "$folder/run-$run/history.csv" | awk -F, -v run=$run -v kills=$done -v named=$named '
        function apart(a, b) { d = (a - b) / a; return d < 0 ? -d : d }
        NR > 1 { for (c = 3; c <= 5; c += 2) if (apart($c, $(c + 8)) > most) most = apart($c, $(c + 8)) }
        END { printf "run %d: %d kills so far, %d named by mpirun, losses of %d epochs apart by at most %.1e\n", run, kills, named, NR - 1, most }'
done
