#!/bin/sh
# A program out of unpacked Debian packages, with their own libc: debian.sh ROOT PROGRAM ARGUMENTS
root=$1 program=$2
shift 2
for loader in "$root"/usr/lib*/ld-linux*.so.? "$root"/lib*/ld-linux*.so.? "$root"/usr/lib/*/ld-linux*.so.?; do [ -x "$loader" ] && break; done
libraries=$(printf '%s:' "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu*)
exec "$loader" --library-path "$libraries" "$root/$program" "$@"
