package endpoint

import (
	"crypto/tls"
	"sync/atomic"
)

// lastState is what the last connection under TLS had agreed on. // any goroutine (atomic); what it points to does not change
var lastState atomic.Pointer[tls.ConnectionState]

// keptState is what is kept of st for as long as a hub connection lives: all but the keying material and what only a client has. Most connections agree on the same, so
// they share one, which is 250 bytes less for each; one with a client certificate has its own.
func keptState(st *tls.ConnectionState) *tls.ConnectionState {
	if st == nil {
		return nil
	}
	kept := &tls.ConnectionState{
		Version: st.Version, HandshakeComplete: st.HandshakeComplete, DidResume: st.DidResume, CipherSuite: st.CipherSuite, CurveID: st.CurveID,
		NegotiatedProtocol: st.NegotiatedProtocol, ServerName: st.ServerName, ECHAccepted: st.ECHAccepted,
		PeerCertificates: st.PeerCertificates, VerifiedChains: st.VerifiedChains,
	}
	if len(kept.PeerCertificates) > 0 {
		return kept
	}
	if last := lastState.Load(); last != nil && last.Version == kept.Version && last.HandshakeComplete == kept.HandshakeComplete && last.DidResume == kept.DidResume &&
		last.CipherSuite == kept.CipherSuite && last.CurveID == kept.CurveID && last.NegotiatedProtocol == kept.NegotiatedProtocol && last.ServerName == kept.ServerName &&
		last.ECHAccepted == kept.ECHAccepted {
		return last
	}
	lastState.Store(kept)
	return kept
}
