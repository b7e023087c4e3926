#!/usr/bin/env bash
# Makes sure that Chromium is there for the browser tests: installs Debian's package when that is possible, says what to do otherwise.
set -eu
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
	command -v chromium >/dev/null && exit 0
fi
echo "The browser tests need Chromium as 'chromium' on the path: install it (Debian, as root: apt-get install chromium)."
if [ "${CI:-}" = true ]; then
	exit 1
fi
echo "Going on without it: the browser tests will say that they were skipped."
