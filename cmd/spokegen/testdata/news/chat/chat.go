// Package chat has names that another package has too.
package chat

// Chat is another hub of this name.
type Chat struct{}

// Message is another type of this name.
type Message struct{ Headline string }

// Promise is a name that TypeScript has.
type Promise struct{ Kept bool }

func (Chat) Latest(Promise) Message { return Message{} }
