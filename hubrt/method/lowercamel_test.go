package method

import "testing"

func TestLowerCamel(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Send": "send", "SendAll": "sendAll", "ID": "id", "HTTPStatus": "httpStatus", "X": "x", "XRay": "xRay", "already": "already", "": "", "Ärger": "ärger", "ÄÖx": "äÖx", "A1B": "a1B",
	} {
		if got := LowerCamel(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
