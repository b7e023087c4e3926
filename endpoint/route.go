package endpoint

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/ws"
)

// decide is the heart of the endpoint: it answers a request, or says which connection its upgrade opens (wire contract, section 3).
// The caller has authenticated the request; user may be nil.
func (e *Endpoint) decide(r *http.Request, negotiate bool, user *auth.Identity) (answer response, opened opening) {
	if e.opt.RequireUser && user == nil {
		return empty(http.StatusUnauthorized), opening{}
	}
	if negotiate {
		return e.negotiate(r), opening{}
	}
	id, hasID := e.requestToken(r)
	switch r.Method {
	case http.MethodGet, http.MethodConnect:
		switch {
		case acceptsEvents(r.Header):
			answer = e.attach(id, hasID, ServerSentEvents, headerText)
		case ws.Valid(r):
			return e.upgrade(r, id, hasID, user)
		default: // a faulty upgrade, too (wire contract, trap 22)
			answer = e.attach(id, hasID, LongPolling, headerPoll)
		}
	case http.MethodPost:
		answer = e.send(id, hasID)
	case http.MethodDelete:
		answer = e.delete(id, hasID)
	default:
		answer = text(http.StatusMethodNotAllowed, "")
	}
	return answer, opening{}
}

const (
	textIDRequired = "Connection ID required"
	textUnknownID  = "No Connection with that ID"
	textChange     = "Cannot change transports mid-connection"
	textNoDelete   = "Cannot terminate this connection using the DELETE endpoint."
	textNoPost     = "POST requests are not allowed for WebSocket connections."
)

func textDisabled(t Transports) string {
	return t.String() + " transport not supported by this end point type"
}

// requestToken reads the query value id. given is false when it is missing or empty; a value that is no token is given, and known to nobody.
func (e *Endpoint) requestToken(r *http.Request) (t token, given bool) {
	v := strings.Join(queryValues(r.URL.Query(), "id"), ",")
	if v == "" {
		return t, false
	}
	t, _ = parseToken(v) // a zero token was never handed out
	return t, true
}

// upgrade decides on a valid WebSocket upgrade.
func (e *Endpoint) upgrade(r *http.Request, t token, given bool, user *auth.Identity) (response, opening) {
	if !e.originAllowed(r) {
		return empty(http.StatusForbidden), opening{}
	}
	var has Transports
	if given {
		var known bool
		if has, known = e.set.registry.find(e, t); !known {
			return response{status: http.StatusNotFound, body: textUnknownID}, opening{}
		}
	}
	switch {
	case e.opt.Transports&WebSockets == 0:
		return text(http.StatusNotFound, textDisabled(WebSockets)), opening{}
	case !given: // without negotiate (wire contract, section 2.3)
		return response{}, e.set.registry.add(e.mode(false, false))
	case has != 0 && has != WebSockets:
		return text(http.StatusBadRequest, textChange), opening{}
	}
	opened := e.set.registry.claim(t, e.mode(false, false))
	if opened.conn == nil {
		return e.comeBack(t, user)
	}
	return response{}, opened
}

// attach answers a GET for one of the transports that are not built yet: the checks come in the reference's order, then the transport is switched off.
func (e *Endpoint) attach(t token, given bool, want Transports, header http.Header) response {
	if !given {
		return response{http.StatusBadRequest, header, textIDRequired}
	}
	has, known := e.set.registry.find(e, t)
	switch {
	case !known:
		return response{http.StatusNotFound, header, textUnknownID}
	case e.opt.Transports&want != 0 && has != 0 && has != want:
		return response{http.StatusBadRequest, header, textChange}
	}
	return response{http.StatusNotFound, header, textDisabled(want)}
}

// send answers a POST: no transport that takes POSTs is built yet.
func (e *Endpoint) send(t token, given bool) response {
	if !given {
		return text(http.StatusBadRequest, textIDRequired)
	}
	has, known := e.set.registry.find(e, t)
	switch {
	case !known:
		return text(http.StatusNotFound, textUnknownID)
	case has == WebSockets:
		return text(http.StatusMethodNotAllowed, textNoPost)
	}
	return text(http.StatusNotFound, textDisabled(LongPolling))
}

// delete answers a DELETE, which only a long-polling connection knows.
func (e *Endpoint) delete(t token, given bool) response {
	if !given {
		return text(http.StatusBadRequest, textIDRequired)
	}
	if _, known := e.set.registry.find(e, t); !known {
		return text(http.StatusNotFound, textUnknownID)
	}
	return text(http.StatusBadRequest, textNoDelete)
}

// originAllowed compares the Origin of a WebSocket request, with regard to case; none is let through (wire contract, section 20).
func (e *Endpoint) originAllowed(r *http.Request) bool {
	origin := r.Header.Values("Origin")
	if len(e.opt.AllowedOrigins) == 0 || len(origin) == 0 {
		return true
	}
	return len(origin) == 1 && slices.Contains(e.opt.AllowedOrigins, origin[0])
}

// acceptsEvents reports whether Accept holds the media type text/event-stream; with a parameter it does not count.
func acceptsEvents(h http.Header) bool {
	for _, v := range h.Values("Accept") {
		for part := range strings.SplitSeq(v, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err == nil && kind == "text/event-stream" && len(params) == 0 {
				return true
			}
		}
	}
	return false
}
