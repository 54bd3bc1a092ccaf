#!/usr/bin/env bash
# Two ranks of one thread against one process of one thread, beside each other, several times: images/s of training (of all epochs but the first) and photos/s
# of extraction.
# Usage: bench/ranks.sh PHOTOS TIMES [OPTION OF graft train and graft features…]
set -euo pipefail
photos=$1 times=$2
shift 2
graft=${GRAFT:-dotnet $(dirname "$0")/../src/Graft.Cli/bin/Release/net10.0/Graft.Cli.dll}
mpirun="mpirun --allow-run-as-root -n 2 --bind-to core"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

training() { # name, launcher…
    local name=$1
    shift
    "$@" $graft train "$photos" "${options[@]}" --strategy full --epochs 4 --batch-size 32 --threads 1 --no-report --out "$folder/$name" > "$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
    local images
    images=$(sed -n 's/.*classes, \([0-9,]*\) images to train on.*/\1/p' "$folder/log" | tr -d ,)
    awk -F, -v images="$images" 'NR == 2 { first = $8 } END { printf "%.1f", images * (NR - 2) / ($8 - first) }' "$folder/$name/history.csv"
}
extraction() { # launcher…
    "$@" $graft features "$photos" "${options[@]}" --no-cache --out "$folder/features.npz" > "$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
    rm "$folder/features.npz"
    sed -n 's/^Features: 0 from the cache, \([0-9,]*\) computed, \([0-9.]*\) s.*/\1 \2/p' "$folder/log" | tr -d , | awk '{ printf "%.1f", $1 / $2 }'
}
options=("$@")
for time in $(seq "$times"); do
    one=$(training "one-$time" taskset -c 0) two=$(training "two-$time" $mpirun)
    echo "training: one process $one images/s, two ranks $two images/s, ratio $(awk "BEGIN { printf \"%.2f\", $two / $one }")"
    one=$(extraction taskset -c 0) two=$(extraction $mpirun)
    echo "extraction: one process $one photos/s, two ranks $two photos/s, ratio $(awk "BEGIN { printf \"%.2f\", $two / $one }")"
done
