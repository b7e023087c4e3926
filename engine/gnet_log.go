//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows

package engine

import (
	"context"
	"fmt"
	"log/slog"
)

// gnetLog is gnet's logger, which otherwise writes to standard output. gnet has one for the process besides those of its engines:
// the one of the engine that was made last. What it warns of (an event of a connection that has been closed in the same batch)
// is ordinary here.
type gnetLog struct{ log *slog.Logger }

func (g gnetLog) say(level slog.Level, format string, args []any) {
	if g.log.Enabled(context.Background(), level) {
		g.log.Log(context.Background(), level, "gnet: "+fmt.Sprintf(format, args...))
	}
}

func (g gnetLog) Debugf(format string, args ...any) { g.say(slog.LevelDebug, format, args) }
func (g gnetLog) Infof(format string, args ...any)  { g.say(slog.LevelDebug, format, args) }
func (g gnetLog) Warnf(format string, args ...any)  { g.say(slog.LevelDebug, format, args) }
func (g gnetLog) Errorf(format string, args ...any) { g.say(slog.LevelError, format, args) }
func (g gnetLog) Fatalf(format string, args ...any) { g.say(slog.LevelError, format, args) }
