package endpoint

import (
	"net/http"
	"strconv"

	"github.com/spokehub/spoke/http1"
)

// response is a whole answer, the same on our own HTTP and on net/http.
type response struct {
	status int
	header http.Header // shared between answers: read only
	body   string
}

// The header sets of wire contract, sections 3 and 6. They are shared, so nobody may change them.
var (
	headerText = http.Header{"Content-Type": {"text/plain"}}
	headerJSON = http.Header{"Content-Type": {"application/json"}}
	// Every answer to a plain GET, errors included, forbids caching.
	headerPoll = http.Header{
		"Content-Type":  {"text/plain"},
		"Cache-Control": {"no-cache, no-store"},
		"Pragma":        {"no-cache"},
		"Expires":       {"Thu, 01 Jan 1970 00:00:00 GMT"},
	}
	headerRetry = http.Header{"Content-Type": {"text/plain"}, "Retry-After": {"1"}}
)

func text(status int, body string) response { return response{status, headerText, body} }

func empty(status int) response { return response{status: status} }

func (r response) to(x *http1.Exchange) { x.Reply(r.status, r.header, []byte(r.body)) }

func (r response) write(w http.ResponseWriter) {
	r.head(w, len(r.body))
	_, _ = w.Write([]byte(r.body)) // the client may have gone: nothing left to do
}

// head writes all but the body, which has length bytes.
func (r response) head(w http.ResponseWriter, length int) {
	h := w.Header()
	h["Content-Type"] = nil // net/http would guess one
	for k, v := range r.header {
		h[k] = v
	}
	if r.status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(length)} // net/http sets it for short bodies only
	}
	w.WriteHeader(r.status)
}

// The answers of the transports that are made of requests (wire contract, sections 6 and 7).
var (
	accepted     = text(http.StatusAccepted, "")
	taken        = text(http.StatusOK, "")
	vanished     = text(http.StatusNotFound, "")
	conflict     = text(http.StatusConflict, "")
	postsFull    = response{http.StatusServiceUnavailable, headerRetry, "too many requests of this connection wait to be read"}
	tooEarly     = text(http.StatusRequestEntityTooLarge, "too much was sent before the connection has a transport: at most 65,536 bytes of one client may be, and 64 MiB of all")
	departedFull = response{http.StatusServiceUnavailable, headerRetry, "too many connections that have ended wait for their disconnected event"}
	stopping     = response{http.StatusServiceUnavailable, headerRetry, "the server is stopping"}
	broken       = text(http.StatusBadRequest, "")
	headerData   = http.Header{
		"Content-Type":  {"application/octet-stream"},
		"Cache-Control": headerPoll["Cache-Control"],
		"Pragma":        headerPoll["Pragma"],
		"Expires":       headerPoll["Expires"],
	}
)
