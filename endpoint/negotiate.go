package endpoint

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// highestVersion is the highest negotiate version there is. A client that asks for more is answered with it.
const highestVersion = 1

// negotiate answers POST {path}/negotiate (wire contract, section 2): always 200, also for an error.
func (e *Endpoint) negotiate(r *http.Request) response {
	if r.Method != http.MethodPost {
		return text(http.StatusMethodNotAllowed, "")
	}
	query := r.URL.Query()
	version, fault := e.negotiateVersion(query)
	if fault != "" {
		return response{http.StatusOK, headerJSON, `{"error":"` + fault + `"}`}
	}
	if e.full() {
		return departedFull
	}
	stateful := asksStateful(query) && e.hub != nil && e.hub.OffersStateful()
	k, err := e.set.registry.park(e, version == 0, stateful)
	if err != nil {
		e.set.busy.Add(1)
		return response{http.StatusServiceUnavailable, headerRetry, err.Error()}
	}
	var b strings.Builder
	b.WriteByte('{')
	if stateful { // never unasked: the JavaScript client refuses that (wire contract, section 18.1)
		b.WriteString(`"useStatefulReconnect":true,`)
	}
	fmt.Fprintf(&b, `"negotiateVersion":%d,"connectionId":"%s",`, version, k.id)
	if version > 0 {
		fmt.Fprintf(&b, `"connectionToken":"%s",`, k.token)
	}
	fmt.Fprintf(&b, `"availableTransports":[%s]}`, e.opt.Transports.offered())
	return response{http.StatusOK, headerJSON, b.String()}
}

// negotiateVersion picks the version to answer with, or says what is wrong with the one asked for. The texts hold digits and fixed words only, so they need no escaping.
func (e *Endpoint) negotiateVersion(q url.Values) (version int, fault string) {
	values := queryValues(q, "negotiateVersion")
	asked := 0
	if len(values) > 0 {
		n, err := strconv.ParseInt(strings.TrimSpace(values[0]), 10, 32)
		if err != nil || len(values) > 1 {
			return 0, "The client requested a non-integer protocol version."
		}
		asked = int(n)
	}
	if asked < e.opt.MinNegotiateVersion {
		return 0, fmt.Sprintf("The client requested version '%d', but the server does not support this version.", asked)
	}
	return min(asked, highestVersion), ""
}

// asksStateful reads a .NET boolean (wire contract, section 2.1): anything but true is false.
func asksStateful(q url.Values) bool {
	values := queryValues(q, "useStatefulReconnect")
	return len(values) == 1 && strings.EqualFold(strings.TrimSpace(values[0]), "true")
}

// queryValues finds a query value by its name, ignoring case as ASP.NET's query collection does.
func queryValues(q url.Values, name string) []string {
	var out []string
	for k, v := range q {
		if strings.EqualFold(k, name) {
			out = append(out, v...)
		}
	}
	return out
}
