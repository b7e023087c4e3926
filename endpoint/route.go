package endpoint

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/ws"
)

// verdict is what is to be done with a request.
type verdict struct {
	do     action
	answer response   // doAnswer
	opened opening    // doUpgrade
	token  token      // of the others
	to     *requested // the connection that it has; nil: none yet
}

type action uint8

const (
	doAnswer  action = iota
	doUpgrade        // to a WebSocket
	doStream         // begin an event stream
	doPoll           // begin a polled connection, or poll
	doSend           // take what a POST brings
	doDelete         // end a polled connection
)

func answer(r response) verdict { return verdict{answer: r} }

// decide is the heart of the endpoint: it says what is to be done with a request (wire contract, section 3).
// The caller has authenticated the request; user may be nil.
func (e *Endpoint) decide(r *http.Request, negotiate bool, user *auth.Identity) verdict {
	if e.opt.RequireUser && user == nil {
		return answer(empty(http.StatusUnauthorized))
	}
	if negotiate {
		return answer(e.negotiate(r))
	}
	if !e.originAllowed(r) {
		return answer(empty(http.StatusForbidden))
	}
	id, hasID := e.requestToken(r)
	var v verdict
	switch r.Method {
	case http.MethodGet, http.MethodConnect:
		switch {
		case acceptsEvents(r.Header):
			v = e.attach(id, hasID, ServerSentEvents, headerText)
		case ws.Valid(r):
			answer, opened := e.upgrade(id, hasID, user)
			if opened.conn == nil {
				return verdict{answer: answer}
			}
			return verdict{do: doUpgrade, opened: opened}
		default: // a faulty upgrade, too (wire contract, trap 22)
			v = e.attach(id, hasID, LongPolling, headerPoll)
		}
	case http.MethodPost:
		v = e.send(id, hasID)
	case http.MethodDelete:
		v = e.delete(id, hasID)
	default:
		return answer(text(http.StatusMethodNotAllowed, ""))
	}
	if v.do != doAnswer {
		v.token = id
		if q := e.set.registry.requested(e, id); q != nil {
			if !q.mayUse(user) {
				return answer(empty(http.StatusForbidden))
			}
			v.to = q
		}
	}
	return v
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

// full says that no more connections may come in now, and counts that.
func (e *Endpoint) full() bool {
	if e.hub == nil || !e.hub.Crowded() {
		return false
	}
	e.set.busy.Add(1)
	return true
}

// upgrade decides on a valid WebSocket upgrade.
func (e *Endpoint) upgrade(t token, given bool, user *auth.Identity) (response, opening) {
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
	case has == 0 && e.full():
		return departedFull, opening{}
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

// attach decides on a GET for an event stream or a poll. The checks come in the reference's order; header is that of its refusals.
func (e *Endpoint) attach(t token, given bool, want Transports, header http.Header) verdict {
	refuse := func(status int, text string) verdict { return answer(response{status, header, text}) }
	if !given {
		return refuse(http.StatusBadRequest, textIDRequired)
	}
	has, known := e.set.registry.find(e, t)
	switch {
	case !known:
		return refuse(http.StatusNotFound, textUnknownID)
	case e.opt.Transports&want == 0:
		return refuse(http.StatusNotFound, textDisabled(want))
	case has != 0 && has != want:
		return refuse(http.StatusBadRequest, textChange)
	case has == 0 && e.full():
		return answer(departedFull)
	case has == ServerSentEvents:
		return refuse(http.StatusConflict, "")
	case want == ServerSentEvents:
		return verdict{do: doStream}
	}
	return verdict{do: doPoll}
}

// send decides on a POST, which may come before the transport.
func (e *Endpoint) send(t token, given bool) verdict {
	if !given {
		return answer(text(http.StatusBadRequest, textIDRequired))
	}
	has, known := e.set.registry.find(e, t)
	switch {
	case !known:
		return answer(text(http.StatusNotFound, textUnknownID))
	case has == WebSockets:
		return answer(text(http.StatusMethodNotAllowed, textNoPost))
	}
	return verdict{do: doSend}
}

// delete decides on a DELETE, which only a polled connection knows.
func (e *Endpoint) delete(t token, given bool) verdict {
	if !given {
		return answer(text(http.StatusBadRequest, textIDRequired))
	}
	has, known := e.set.registry.find(e, t)
	switch {
	case !known:
		return answer(text(http.StatusNotFound, textUnknownID))
	case has != LongPolling:
		return answer(text(http.StatusBadRequest, textNoDelete))
	}
	return verdict{do: doDelete}
}

// originAllowed compares the Origin of a request, with regard to case; none is let through (wire contract, section 20).
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
