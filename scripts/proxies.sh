#!/usr/bin/env bash
# Makes sure that nginx and HAProxy are there for the tests behind them, and OpenSSL for a test of TLS (engine: TestOpenSSL): installs Debian's packages when that is possible, says what to do otherwise.
set -eu
PATH=$PATH:/usr/sbin:/sbin # where Debian has them
missing() { for name in nginx haproxy openssl; do command -v "$name" >/dev/null || echo "$name"; done; }
[ -n "$(missing)" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	# Debian starts what it installs; the tests start their own, on ports of their own.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
		trap 'rm -f "$policy"' EXIT
	fi
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends nginx-light haproxy openssl >/dev/null
	[ -n "$(missing)" ] || exit 0
fi
echo "The tests behind proxies need nginx and HAProxy, one of TLS needs OpenSSL: install them (Debian, as root: apt-get install nginx-light haproxy openssl). Missing: $(missing | tr '\n' ' ')"
if [ "${CI:-}" = true ]; then
	exit 1
fi
echo "Going on without: these tests will say that they were skipped."
