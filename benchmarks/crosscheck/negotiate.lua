-- What loadgen sends, and the result as one line of JSON.
wrk.method = "POST"
wrk.body = "" -- for Content-Length: 0
wrk.headers["User-Agent"] = "spoke-loadgen"
wrk.headers["Content-Type"] = "text/plain;charset=UTF-8"
wrk.headers["X-Requested-With"] = "XMLHttpRequest"

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'\ncrosscheck {"requests":%d,"microseconds":%d,"errors":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50":%d}\n',
		summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
		e.connect, e.read, e.write, e.status, e.timeout, latency:percentile(50)))
end
