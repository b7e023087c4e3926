package hubs

import (
	"encoding/json"
	"testing"
)

func TestComplexJSON(t *testing.T) {
	t.Parallel()
	const zero = `"bytes":null,"id":"00000000-0000-0000-0000-000000000000","color":0}`
	for _, tt := range []struct{ name, in, out string }{
		{"defaults", `{}`, `{"name":null,"value":0,"when":"0001-01-01T00:00:00",` + zero},
		{"any case, unknown members", `{"NAME":"y","Value":8,"unknown":[1]}`, `{"name":"y","value":8,"when":"0001-01-01T00:00:00",` + zero},
		{"all", `{"name":"x","value":7,"when":"2020-01-02T03:04:05.678Z","bytes":"AQID","id":"00010203-0405-0607-0706-050403020100","color":1}`, ""},
		{"no zone", `{"when":"2020-01-02T03:04:05"}`, `{"name":null,"value":0,"when":"2020-01-02T03:04:05",` + zero},
		{"zone", `{"when":"2020-01-02T03:04:05.1234567+02:00"}`, `{"name":null,"value":0,"when":"2020-01-02T03:04:05.1234567+02:00",` + zero},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var c Complex
			if err := json.Unmarshal([]byte(tt.in), &c); err != nil {
				t.Fatal(err)
			}
			want := tt.out
			if want == "" {
				want = tt.in
			}
			if out, err := json.Marshal(c); err != nil || string(out) != want {
				t.Errorf("%s, %v; want %s", out, err, want)
			}
		})
	}
	for _, bad := range []string{`{"when":"yesterday"}`, `{"when":5}`, `{"id":"00010203-0405-0607-0706-05040302010"}`, `{"id":"0001020304-05-0607-0706-050403020100"}`, `{"id":"zz010203-0405-0607-0706-050403020100"}`, `{"color":"Green"}`, `{"bytes":"%"}`} {
		if err := json.Unmarshal([]byte(bad), new(Complex)); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}
