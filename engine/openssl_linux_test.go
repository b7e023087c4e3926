package engine

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/spokehub/spoke/internal/logtest"
)

// TestOpenSSL: what crypto/tls as a client cannot do, by openssl s_client, whose commands are single letters on a line of their own. It needs the program openssl.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no openssl: the tests of key updates and renegotiation need it")
		}
		t.Skip("no openssl: key updates and renegotiation are not tested")
	}
	for _, tc := range []struct {
		name, version string
		steps         []string // what is written; for a text, its echo is waited for
		reason        CloseReason
	}{
		{"key update", "-tls1_3", []string{"hello", "k", "one", "K", "two", "K", "K", "three"}, PeerClosed},
		{"renegotiation", "-tls1_2", []string{"hello", "R"}, TLSError},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, err := New(Config{Backend: backendEpoll, Loops: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Shutdown(t.Context()) }()
			h := echo()
			closed, ends := endings()
			h.close = closed
			at, err := e.ListenTLS("tcp", "127.0.0.1:0", TLS{Config: serverTLS()}, h.open)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program, "s_client", "-connect", at.String(), tc.version, "-servername", "localhost")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out := &logtest.Buffer{}
			cmd.Stdout, cmd.Stderr = out, out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for _, step := range tc.steps {
				if _, err := io.WriteString(in, step+"\n"); err != nil {
					t.Fatal(err)
				}
				switch step {
				case "k", "K":
					out.Await(t, patience, "KEYUPDATE")
				case "R":
					out.Await(t, patience, "RENEGOTIATING")
				default:
					out.Await(t, patience, step+"\n")
				}
			}
			if tc.reason == PeerClosed {
				_, _ = io.WriteString(in, "Q\n")
			}
			end := await(t, ends, "the end")
			if end.reason != tc.reason {
				t.Errorf("ended with %v, %v; want %v", end.reason, end.err, tc.reason)
			}
			_ = in.Close()
			if err := cmd.Wait(); err != nil && tc.reason == PeerClosed {
				t.Errorf("openssl: %v\n%s", err, out.String())
			}
		})
	}
}
