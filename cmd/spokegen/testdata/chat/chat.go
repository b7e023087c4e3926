// Package chat is a hub as people write one: streams both ways, a client interface, questions to clients.
package chat

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/spokehub/spoke"
)

// Chat is one room.
type Chat struct {
	*dice
	mu   sync.Mutex
	said []Message

	// Typing tells the others that somebody types.
	Typing func(c *spoke.Context, user string) error `spoke:"typing"`
	Hidden func()                                    // without a tag it is no method
}

type dice struct {
	// Roll throws dice.
	Roll func(sides int) (int, error) `spoke:",inline"`
	// Typing is hidden by that of Chat.
	Typing func() `spoke:"diceTyping"`
}

// Message is what somebody said.
type Message struct {
	From string    `json:"from"`
	Text string    `json:"text"` // at most 1,000 characters
	Sent time.Time `json:"sent"`
	Mood Mood      `json:"mood,omitempty"`
}

// Mood goes with a message.
type Mood string

const (
	Happy Mood = "happy"
	Sad   Mood = "sad"
)

// Level is how loud a room may be.
type Level int

const (
	Quiet Level = iota
	Loud
	numLevels // no level
)

// ChatClient is what the room calls on its clients.
type ChatClient interface {
	// MessageReceived shows a message.
	MessageReceived(m Message)
	Presence(ctx context.Context, users ...string) error
	// AskName asks who that is.
	//
	// Deprecated: users say it when they connect.
	AskName(why string) (string, error)
}

func (c *Chat) OnConnected(*spoke.Context) error           { return nil }
func (c *Chat) OnDisconnected(*spoke.Context, error) error { return nil }

// Send tells everybody.
func (c *Chat) Send(_ *spoke.Context, text string, mood Mood) error { return nil }

// History is what was said since then, newest last.
func (c *Chat) History(since time.Time, limit int) ([]Message, error) { return nil, nil }

// SetLevel changes the level and returns the one before.
func (c *Chat) SetLevel(Level) Level { return Quiet }

// Follow sends what is said from now on.
func (c *Chat) Follow(_ *spoke.Context, ctx context.Context) (<-chan Message, error) { return nil, nil }

// Count counts.
func (c *Chat) Count(to int) iter.Seq[int]                    { return nil }
func (c *Chat) Each(names []string) iter.Seq2[Message, error] { return nil }

// Upload takes messages until the client ends.
func (c *Chat) Upload(room string, messages <-chan Message, marks iter.Seq2[float64, error]) (int, error) {
	return 0, nil
}

// Translate gives one for each.
func (c *Chat) Translate(words iter.Seq[string]) iter.Seq[string] { return nil }
