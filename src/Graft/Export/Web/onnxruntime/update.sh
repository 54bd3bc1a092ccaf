#!/usr/bin/env bash
# Writes the files of this folder anew from the npm package onnxruntime-web. Needs npm and node.
# For another version, change it and its integrity here (npm view onnxruntime-web@VERSION dist.integrity) and the hashes in OnnxRuntimeWeb.cs.
set -euo pipefail
version=1.30.0
integrity='sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=='
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm pack "onnxruntime-web@$version" --silent --pack-destination "$folder" > /dev/null
node - "$folder" "$integrity" <<'SCRIPT'
const { createHash } = require("crypto"), { readFileSync, readdirSync, writeFileSync } = require("fs"), { join } = require("path");
const { execFileSync } = require("child_process"), { brotliCompressSync, constants } = require("zlib");
const [folder, integrity] = process.argv.slice(2), archive = join(folder, readdirSync(folder)[0]);
const hash = algorithm => bytes => createHash(algorithm).update(bytes);
const found = "sha512-" + hash("sha512")(readFileSync(archive)).digest("base64");
if (found !== integrity) throw new Error(`Expected ${integrity}, found ${found}`);
execFileSync("tar", ["xzf", archive, "-C", folder]);
for (const name of ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]) {
  const bytes = readFileSync(join(folder, "package/dist", name));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(`${name}.br`, brotliCompressSync(bytes, { params }));
  console.log(hash("sha256")(bytes).digest("hex"), name);
}
SCRIPT
