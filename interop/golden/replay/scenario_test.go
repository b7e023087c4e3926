package replay

import (
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const header = `{"scenario":"x","about":"","hub":"/probe","encoding":"json","server":{}}` + "\n"
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":              {"", "no steps"},
		"no steps":             {header, "no steps"},
		"no name":              {`{"encoding":"json"}`, "line 1"},
		"encoding":             {`{"scenario":"x","encoding":"xml"}`, "line 1"},
		"unknown header":       {`{"scenario":"x","encoding":"json","must":1}`, "must"},
		"unknown member":       {header + `{"at":"a","do":"expect","eof":true,"sometimes":1}`, "sometimes"},
		"two values":           {header + `{"do":"wait","ms":1} {}`, "more than one"},
		"unknown step":         {header + `{"at":"a","do":"hope"}`, "unknown step"},
		"wait without ms":      {header + `{"do":"wait"}`, "without ms"},
		"server action":        {header + `{"do":"server","action":"explode"}`, "explode"},
		"send to nobody":       {header + `{"do":"send","ws":"text","data":"x"}`, "without at"},
		"expect of nobody":     {header + `{"do":"expect","eof":true}`, "without at"},
		"expect of nothing":    {header + `{"at":"a","do":"expect"}`, "no known kind"},
		"nothing in any_of":    {header + `{"at":"a","do":"expect","any_of":[{}]}`, "no known kind"},
		"two payloads":         {header + `{"at":"a","do":"send","ws":"text","data":"x","hex":"00"}`, "one of data"},
		"no payload":           {header + `{"at":"a","do":"expect","ws":"text"}`, "one of data"},
		"bad hex":              {header + `{"at":"a","do":"send","tcp":"raw","hex":"0"}`, "hex"},
		"close without code":   {header + `{"at":"a","do":"expect","ws":"close"}`, "without code"},
		"response, no status":  {header + `{"at":"a","do":"expect","http":{"body":""}}`, "status"},
		"response, no body":    {header + `{"at":"a","do":"expect","http":{"status":200}}`, "body"},
		"request without path": {header + `{"at":"a","do":"send","http":{"method":"GET"}}`, "path"},
		"open without path":    {header + `{"at":"a","do":"send","ws":"open"}`, "path"},
		"poll of nothing":      {header + `{"at":"a","do":"expect","poll":"/x"}`, "without messages"},
		"event without data":   {header + `{"at":"a","do":"expect","sse":"raw"}`, "without data"},
		"sends an eof":         {header + `{"at":"a","do":"send","eof":true}`, "no known kind"},
	} {
		if _, err := Parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
