// Package hubs holds the hubs of the recorded exchanges (interop/golden/testdata/README.md, "What the server must offer"), written
// against Spoke's public API, so that Spoke can be compared with what was recorded.
package hubs

import (
	"fmt"
	"time"

	"github.com/spokehub/spoke"
)

// mapped is a path with its hub and its options (the rest at defaults).
type mapped struct {
	path    string
	hub     any
	options func(*spoke.HubOptions)
}

func paths() []mapped {
	return []mapped{
		{"/probe", Probe{}, func(o *spoke.HubOptions) { o.StatefulReconnect = true }},
		{"/plain", Probe{}, nil},
		{"/detailed", Probe{}, func(o *spoke.HubOptions) { o.DetailedErrors, o.StatefulReconnect = true, true }},
		{"/smallbuffer", Probe{}, func(o *spoke.HubOptions) { o.StatefulReconnect, o.StatefulBuffer = true, 500 }},
		{"/shortpoll", Probe{}, func(o *spoke.HubOptions) { o.PollTimeout = 2 * time.Second }},
		{"/minversion1", Probe{}, func(o *spoke.HubOptions) { o.MinNegotiateVersion = 1 }},
		{"/websockets", Probe{}, func(o *spoke.HubOptions) { o.Transports = spoke.WebSockets }},
		{"/sse", Probe{}, func(o *spoke.HubOptions) { o.Transports = spoke.ServerSentEvents }},
		{"/longpolling", Probe{}, func(o *spoke.HubOptions) { o.Transports = spoke.LongPolling }},
		{"/subprotocol", Probe{}, func(o *spoke.HubOptions) { o.SubProtocol = two }},
		{"/origin", Probe{}, func(o *spoke.HubOptions) { o.AllowedOrigins = []string{"https://good.example"} }},
		{"/wsping", Probe{}, func(o *spoke.HubOptions) { o.WebSocketKeepAlive = time.Second }},
		{"/wstimeout", Probe{}, func(o *spoke.HubOptions) {
			o.WebSocketKeepAlive, o.WebSocketPongTimeout = time.Second, 2*time.Second
		}},
		{"/secure", Probe{}, func(o *spoke.HubOptions) { o.RequireUser = true }},
		{"/expiring", Probe{}, nil},
		{"/parallel", Probe{}, func(o *spoke.HubOptions) { o.MaxParallelCalls = 3 }},
		{"/keepalive", Probe{}, func(o *spoke.HubOptions) { o.KeepAliveInterval = time.Second }},
		{"/jsononly", Probe{}, func(o *spoke.HubOptions) { o.Protocols = []spoke.Protocol{spoke.JSON} }},
		{"/messagepackonly", Probe{}, func(o *spoke.HubOptions) { o.Protocols = []spoke.Protocol{spoke.MessagePack} }},
		{"/idle", Probe{}, func(o *spoke.HubOptions) { o.KeepAliveInterval, o.ClientTimeout = time.Second, 5*time.Second }},
		{"/clienttimeout", Probe{}, func(o *spoke.HubOptions) { o.ClientTimeout = 2 * time.Second }},
		{"/handshake", Probe{}, func(o *spoke.HubOptions) { o.HandshakeTimeout = 2 * time.Second }},
		{"/welcome", Welcome{}, nil},
		{"/failconnect", FailConnect{}, nil},
		{"/failconnect-detailed", FailConnect{}, func(o *spoke.HubOptions) { o.DetailedErrors = true }},
		{"/faildisconnect", FailDisconnect{}, nil},
	}
}

// Map maps all hubs. The server's Config must have Authenticate from this package.
func Map(srv *spoke.Server) error {
	for _, m := range paths() {
		_, err := srv.MapHub(m.path, m.hub, func(o *spoke.HubOptions) {
			o.Transports = spoke.WebSockets | spoke.ServerSentEvents | spoke.LongPolling
			o.Methods = map[string]spoke.MethodOptions{
				"Original": {Name: "renamed"},
				"Secret":   {RequireUser: true},
			}
			if m.options != nil {
				m.options(o)
			}
		})
		if err != nil {
			return fmt.Errorf("probe hub: %w", err)
		}
	}
	_, err := srv.MapHub("/bench", Bench{}, func(o *spoke.HubOptions) {
		o.Transports = spoke.WebSockets | spoke.ServerSentEvents | spoke.LongPolling
	})
	if err != nil {
		return fmt.Errorf("bench hub: %w", err)
	}
	return nil
}

// two picks the sub-protocol "two" when it is offered.
func two(offered []string) string {
	for _, p := range offered {
		if p == "two" {
			return p
		}
	}
	return ""
}
