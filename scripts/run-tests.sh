#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run-tests.sh TITLE PROGRAM...: run each, show the output of those that fail, one line of sum.
title=$1
shift
export ASAN_OPTIONS="${ASAN_OPTIONS:-strict_string_checks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 cases=0
for program; do
	if timeout 300 "$program" >"$log" 2>&1; then
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
