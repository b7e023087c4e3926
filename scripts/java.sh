#!/usr/bin/env bash
# Runs the tests of the official Java client against the servers in the given folder, and leaves their output there. Installs Debian's JDK and Maven
# when that is possible, says what to do otherwise.
set -eu -o pipefail
out=$1
rm -rf "$out/java.txt" interop/java/target/surefire-reports
if ! command -v javac >/dev/null || ! command -v mvn >/dev/null; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq
		apt-get install -y -qq --no-install-recommends default-jdk-headless maven >/dev/null
	fi
fi
if ! command -v javac >/dev/null || ! command -v mvn >/dev/null; then
	echo "The tests with the Java client need a JDK (17 or later) and Maven: install them (Debian, as root: apt-get install default-jdk-headless maven)."
	if [ "${CI:-}" = true ]; then
		exit 1
	fi
	echo "Going on without them: the Java client is not tested."
	exit 0
fi
mvn -B --no-transfer-progress -f interop/java/pom.xml test -Dspoked="$out/spoked" -Dprobe="$out/probe" 2>&1 | sed 's/\x1b\[[0-9;]*m//g' | tee "$out/java.txt"
