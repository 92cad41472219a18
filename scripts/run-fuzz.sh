#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run-fuzz.sh BUILD PROGRAM...: a bounded, repeatable run of each fuzzer from its kept corpus, as many at a time as there are CPUs.
if [ "$1" = --one ]; then # --one BUILD PROGRAM
	build=$2 name=${3##*/}
	mkdir -p "$build/fuzz/corpus/$name"
	seeds=tests/fuzz/corpus/$name
	[ -d "$seeds" ] || seeds=
	rm -f "$build/fuzz/$name.passed"
	timeout 900 "$3" -seed=1 -runs="${FUZZ_RUNS:-5000}" -max_len=4096 -timeout=30 -max_total_time=800 \
		-artifact_prefix="$build/fuzz/$name-" "$build/fuzz/corpus/$name" $seeds \
		>"$build/fuzz/$name.log" 2>&1 && touch "$build/fuzz/$name.passed"
	exit 0
fi
build=$1
shift
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh "$0" --one "$build" {}
failed=0
for program; do
	name=${program##*/}
	if [ -e "$build/fuzz/$name.passed" ]; then
		echo "$name: $(grep -E '^Done|DONE' "$build/fuzz/$name.log" | tail -n 1)"
	else
		failed=$((failed + 1))
		echo "FAILED: $program (log: $build/fuzz/$name.log)"
		tail -n 60 "$build/fuzz/$name.log"
	fi
done
echo "fuzzers: $(($# - failed)) of $# passed, ${FUZZ_RUNS:-5000} runs each"
[ "$failed" -eq 0 ] && [ $# -gt 0 ]
