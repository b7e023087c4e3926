package endpoint

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/spokehub/spoke/auth"
)

// authPool bounds the Authenticate calls. Any goroutine.
type authPool struct {
	slots   chan struct{} // one for each running call
	max     int64         // running and waiting
	open    atomic.Int64
	refused atomic.Int64
}

// enter counts a request in; false: too many wait already.
func (p *authPool) enter() bool {
	if p.open.Add(1) > p.max {
		p.open.Add(-1)
		return false
	}
	return true
}

// busy is the answer of a full pool.
var busy = response{http.StatusServiceUnavailable, headerRetry, "too many requests wait to be authenticated"}

// authenticate runs the hook and returns who it is, or the answer that refuses the request. It blocks. enter has been called.
func (s *Set) authenticate(r *http.Request) (user *auth.Identity, refusal *response) {
	p := &s.auth
	defer p.open.Add(-1)
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.AuthTimeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		s.busy.Add(1)
		return nil, &busy
	}
	defer func() {
		if v := recover(); v != nil { // a hook's fault must not end the server, and must not let anyone in
			s.cfg.Logger.Error("authenticate panicked", "panic", v, "path", r.URL.Path)
			user, refusal = nil, &response{status: http.StatusInternalServerError}
		}
	}()
	user, err := s.cfg.Authenticate(r.WithContext(ctx))
	if err != nil {
		p.refused.Add(1)
		s.cfg.Logger.Info("request refused", "path", r.URL.Path, "remote", r.RemoteAddr, "error", err)
		return nil, &response{status: http.StatusUnauthorized}
	}
	return user, nil
}
