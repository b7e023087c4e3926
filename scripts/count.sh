#!/usr/bin/env bash
# Prints the closing line: how many tests passed, failed and were skipped in the runs whose output lies in the given folder.
set -eu
out=$1
count() { cat "$out"/go-race.json "$out"/go.json | grep -c "\"Action\":\"$1\",.*\"Test\":" || true; }
js() { sed -n "s/^# $1 //p; s/^ℹ $1 //p" "$out/js.txt" "$out/ts.txt" | awk '{n += $1} END {print n + 0}'; }
# Surefire's last line counts them all: "Tests run: 82, Failures: 0, Errors: 0, Skipped: 0".
java() { sed -n "s/.*Tests run: .*[ ]$1: \([0-9]*\).*/\1/p" "$out/java.txt" 2>/dev/null | tail -n 1 | grep . || echo 0; }
java_bad=$(($(java Failures) + $(java Errors)))
java_run=$(sed -n "s/.*Tests run: \([0-9]*\),.*/\1/p" "$out/java.txt" 2>/dev/null | tail -n 1 | grep . || echo 0)
passed=$(($(count pass) + $(js pass) + java_run - java_bad - $(java Skipped)))
failed=$(($(count fail) + $(js fail) + java_bad))
skipped=$(($(count skip) + $(js skipped) + $(java Skipped)))
if [ "${CI:-}" = true ] && [ "$skipped" != 0 ]; then
	echo "skipped under CI=true, which is not allowed:"
	cat "$out"/go-race.json "$out"/go.json | grep '"Action":"skip",.*"Test":' || true
	exit 1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
