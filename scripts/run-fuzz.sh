#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run-fuzz.sh BUILD PROGRAM...: a bounded, repeatable run of each fuzzer from its kept corpus.
build=$1
shift
failed=0 count=0
for program; do
	name=${program##*/}
	mkdir -p "$build/fuzz/corpus/$name"
	seeds=tests/fuzz/corpus/$name
	[ -d "$seeds" ] || seeds=
	count=$((count + 1))
	if timeout 900 "$program" -seed=1 -runs="${FUZZ_RUNS:-5000}" -max_len=4096 -timeout=30 -max_total_time=800 \
		-artifact_prefix="$build/fuzz/$name-" "$build/fuzz/corpus/$name" $seeds \
		>"$build/fuzz/$name.log" 2>&1; then
		echo "$name: $(grep -E '^Done|DONE' "$build/fuzz/$name.log" | tail -n 1)"
	else
		failed=$((failed + 1))
		echo "FAILED: $program (log: $build/fuzz/$name.log)"
		tail -n 60 "$build/fuzz/$name.log"
	fi
done
echo "fuzzers: $((count - failed)) of $count passed, ${FUZZ_RUNS:-5000} runs each"
[ "$failed" -eq 0 ] && [ "$count" -gt 0 ]
