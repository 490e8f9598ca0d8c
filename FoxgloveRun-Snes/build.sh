#!/bin/sh
# Build rom.sfc from source/, art/ and levels/: ./build.sh
# Compare what they give with rom.sfc, which stays as it is: ./build.sh --check
# Needs ca65 and ld65 (Debian package cc65) and Python 3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

case "${1:-}" in
    "" | --check) ;;
    *) echo "usage: build.sh [--check]" >&2; exit 2 ;;
esac
for tool in ca65 ld65 python3; do
    if ! command -v "$tool" > /dev/null; then
        echo "build.sh: $tool not found; ca65 and ld65 are in the package cc65" >&2
        exit 2
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 python3 "$here/tools/make_assets.py" "$here" "$work"
ca65 -I "$here/source" -I "$work" --bin-include-dir "$work" -g -o "$work/rom.o" "$here/source/rom.s"
ld65 -C "$here/lorom.cfg" -Ln "$work/labels.txt" -o "$work/rom.sfc" "$work/rom.o"
python3 "$here/tools/finish_rom.py" "$work/rom.sfc"

if [ "${1:-}" = --check ]; then
    if ! cmp -s "$work/rom.sfc" "$here/rom.sfc"; then
        echo "build.sh: rom.sfc is not what the sources give; run build.sh and record the states" >&2
        exit 1
    fi
    echo "rom.sfc is what the sources give"
else
    cp "$work/rom.sfc" "$here/rom.sfc"
    if [ -n "${LABELS:-}" ]; then cp "$work/labels.txt" "$LABELS"; fi
    sha1sum "$here/rom.sfc" | cut -d ' ' -f 1 > "$here/rom.sha"
    echo "rom.sfc: $(wc -c < "$here/rom.sfc") bytes, SHA-1 $(cat "$here/rom.sha")"
fi
