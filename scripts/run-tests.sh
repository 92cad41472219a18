#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run-tests.sh TITLE PROGRAM...: run each, as many at a time as there are CPUs; the output of those that fail, one line of sum.
export ASAN_OPTIONS="${ASAN_OPTIONS:-strict_string_checks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
if [ "$1" = --one ]; then # --one FOLDER PROGRAM: its output, and beside it whether it passed
	log=$2/$(echo "$3" | tr / _)
	slow=${KRYPTON_SLOW:-1}
	limit=$((300 * ${slow%%.*}))
	timeout "$limit" "$3" >"$log" 2>&1 && touch "$log.passed"
	[ $? -ne 124 ] || echo "ended after $limit s: KRYPTON_SLOW multiplies that" >>"$log"
	exit 0
fi
title=$1
shift
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh "$0" --one "$logs" {}
passed=0 failed=0 cases=0
for program; do
	log=$logs/$(echo "$program" | tr / _)
	if [ -e "$log.passed" ]; then
		passed=$((passed + 1))
		cases=$((cases + $(grep -c '^\[       OK \]' "$log")))
	else
		failed=$((failed + 1))
		echo "FAILED: $program"
		cat "$log"
	fi
done
echo "$title: $passed programs passed ($cases cases), $failed failed"
[ "$failed" -eq 0 ] && [ $((passed + failed)) -gt 0 ]
