package main

import (
	"context"
	"sync"
	"time"

	"github.com/spokehub/spoke"
)

// Chat is one room that remembers what was said.
type Chat struct {
	mu   sync.Mutex
	said []Message // under mu; the last maxSaid
}

const maxSaid = 1000

// Message is what somebody said.
type Message struct {
	From string    `json:"from"`
	Text string    `json:"text"`
	Mood Mood      `json:"mood,omitempty"`
	Sent time.Time `json:"sent"`
}

// Mood goes with a message.
type Mood string

const (
	Happy Mood = "happy"
	Sad   Mood = "sad"
)

// ChatClient is what the hub calls on its clients. Nothing implements it: spokegen reads it.
type ChatClient interface {
	// MessageReceived brings a message of anybody in the room.
	MessageReceived(m Message)
	// AskName asks who that is.
	AskName(why string) string
}

// Join asks for the caller's name, and returns how many messages there are.
func (ch *Chat) Join(c *spoke.Context, ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	name, err := spoke.InvokeClient[string](ctx, c.Clients().Caller(), "askName", "to say who speaks")
	if err != nil {
		return 0, err
	}
	if name == "" || len(name) > 100 {
		return 0, spoke.Errorf("A name has 1 to 100 bytes, and this one has %d.", len(name))
	}
	c.Items().Set("name", name)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.said), nil
}

// Say tells everybody.
func (ch *Chat) Say(c *spoke.Context, text string, mood Mood) error {
	name, ok := c.Items().Get("name")
	if !ok {
		return spoke.Errorf("Join first.")
	}
	m := Message{From: name.(string), Text: text, Mood: mood, Sent: time.Now()}
	ch.mu.Lock()
	if len(ch.said) == maxSaid {
		ch.said = append(ch.said[:0], ch.said[1:]...)
	}
	ch.said = append(ch.said, m)
	ch.mu.Unlock()
	return c.Clients().All().Send("messageReceived", m)
}

// History is what was said, newest last: at most limit messages.
func (ch *Chat) History(limit int) []Message {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	n := min(max(limit, 0), len(ch.said))
	return append([]Message{}, ch.said[len(ch.said)-n:]...) // never nil, which would be null
}
