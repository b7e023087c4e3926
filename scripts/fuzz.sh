#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each (default 1m).
set -eu
time=${1:-1m}
grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -ho '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d' ' -f2 | sort -u | while read -r target; do
		echo "== $dir $target for $time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "$dir" # where goroutines run, coverage differs each time, and minimizing would not end
	done
done
