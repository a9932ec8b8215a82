#!/usr/bin/env bash
# Derives ../derived.json anew from the five sources, in the versions that NOTICE names. Needs node, npm and go; nothing that is fetched
# stays. Equal sources give an equal file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --no-audit --no-fund --silent --ignore-scripts --prefix "$work" grant@5.4.24 @auth/core@0.41.3 arctic@3.7.0
go mod init derive >/dev/null 2>&1
dir() { go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p'; }
node "$here/derive.mjs" "$work/node_modules" "$(dir github.com/markbates/goth@v1.82.0)" "$(dir golang.org/x/oauth2@v0.38.0)" > "$work/derived.json"
mv "$work/derived.json" "$here/../derived.json"
