package engine

// CloseReason says why a connection ended. Each connection ends with exactly one; it is counted in Stats and logged.
type CloseReason uint8

// The reasons. The engine itself uses the first group; the layers above use the others.
const (
	ReasonNone          CloseReason = iota
	PeerClosed                      // the peer ended TCP in the ordinary way
	PeerReset                       // the peer reset TCP
	IOError                         // a system call failed otherwise
	SendTimeout                     // over the outbound cap, and no progress within the send timeout
	OutboundOverflow                // over a hard outbound cap
	InputOverflow                   // over the hard cap of bytes that a handler may leave unconsumed
	Shutdown                        // the server stops
	Refused                         // the accept callback did not want it
	Detached                        // handed to another owner; never seen by OnClose
	Replaced                        // another transport has taken the hub connection over
	TLSHandshakeTimeout             // no complete TLS handshake in time
	TLSHandshakeFailed              // the TLS handshake failed, or it was none
	TLSError                        // a TLS record was wrong, cut off, or an alert

	HeadTimeout       // no complete HTTP head in time
	HeadTooLarge      // 431
	BadRequest        // 400: malformed or ambiguous HTTP
	BodyTimeout       // no complete HTTP body in time
	BodyTooLarge      // 413
	KeepAliveTimeout  // an idle HTTP connection
	ResponseEnd       // the HTTP answer said Connection: close
	WebSocketProtocol // RFC 6455 violated: 1002, 1007
	WebSocketTimeout  // no pong or no close frame in time
	ClientClosed      // the client's close frame or hub Close message
	HandshakeTimeout  // no hub handshake in time
	HandshakeRefused  // the hub handshake was refused
	ProtocolError     // a hub record was malformed
	MessageTooLarge   // a hub record was over the message cap
	ClientTimeout     // no message within the client timeout
	Aborted           // the hub aborted the connection
	ConnectFailed     // the connected event failed
	RateLimited       // over the rate limit in mode close
	AuthExpired       // the identity's expiry came
	ResultFailed      // a result could not be encoded
	InternalError     // a fault of ours or of a hook
	reasonCount
)

var reasonNames = [reasonCount]string{
	"none", "peer-closed", "peer-reset", "io-error", "send-timeout", "outbound-overflow", "input-overflow", "shutdown", "refused", "detached", "replaced",
	"tls-handshake-timeout", "tls-handshake-failed", "tls-error",
	"head-timeout", "head-too-large", "bad-request", "body-timeout", "body-too-large", "keep-alive-timeout", "response-end",
	"websocket-protocol", "websocket-timeout", "client-closed", "handshake-timeout", "handshake-refused", "protocol-error",
	"message-too-large", "client-timeout", "aborted", "connect-failed", "rate-limited", "auth-expired", "result-failed", "internal-error",
}

// String is the reason's name in logs and metrics.
func (r CloseReason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return "unknown"
}
