#!/bin/sh
# Interesting (1) as long as the program is valid and sorts.
evox-opt "$1" -o /dev/null 2>/dev/null || exit 0
grep -q 'evox.sort' "$1" && exit 1
exit 0
