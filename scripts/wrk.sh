#!/usr/bin/env bash
# Makes sure that wrk is there for the comparison with loadgen: installs Debian's package when that is possible, says what to do otherwise.
set -eu
command -v wrk >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends wrk >/dev/null
	command -v wrk >/dev/null && exit 0
fi
if [ "${CI:-}" = true ]; then
	echo "The comparison of rates needs 'wrk' on the path: install it (Debian, as root: apt-get install wrk)."
	exit 1
fi
echo "Going on without 'wrk' (Debian, as root: apt-get install wrk): the rates will not be compared, only the counters."
