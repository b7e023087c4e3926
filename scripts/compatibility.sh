#!/usr/bin/env bash
# Prints what the last run of the official clients gives, and checks (-check) or writes (-write) docs/compatibility.md.
# Without a browser or a JDK some columns are missing, so that there is nothing to compare; in CI that is a failure.
set -eu
js=interop/js/out/junit.xml
java=(interop/java/target/surefire-reports/TEST-*.xml)
if [ "${CI:-}" != true ] && [ "$1" = -check ]; then
	if [ ! -e "${java[0]}" ] || ! grep -q '<testsuite name="JavaScript .* in Chromium' "$js"; then
		echo "docs/compatibility.md was not compared: not all clients were run."
		exit 0
	fi
fi
exec go run ./interop/matrix "$1" "$js" "${java[@]}"
