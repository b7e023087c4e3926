package hubs

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke"
)

// Count streams 0 to n-1, and waits for ms milliseconds before each.
func (Probe) Count(ctx context.Context, n, ms int) (iter.Seq[int], error) {
	wait, err := duration(ms)
	if err != nil {
		return nil, err
	}
	return func(yield func(int) bool) {
		counting.Add(1)
		defer counting.Add(-1)
		t := time.NewTimer(wait)
		defer t.Stop()
		for i := range n {
			select {
			case <-t.C:
				t.Reset(wait)
			case <-ctx.Done():
				return
			}
			if !yield(i) {
				return
			}
		}
	}, nil
}

// counting is how many streams of Count are under way.
var counting atomic.Int64 // any goroutine

// Counting is how many streams of Count are under way in this process, so that a client can see that its cancel has come through.
func (Probe) Counting() int64 { return counting.Load() }

// CountFail streams 0 to n-1 and then fails with an error whose text only detailed errors show.
func (Probe) CountFail(n int) iter.Seq2[int, error] { return countThen(n, &invalidOperation{"late"}) }

// CountFailHub streams 0 to n-1 and then fails with an error whose text always reaches the client.
func (Probe) CountFailHub(n int) iter.Seq2[int, error] { return countThen(n, hubError("late")) }

func countThen(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		yield(0, err)
	}
}

// FailBefore fails before there is a stream.
func (Probe) FailBefore() (<-chan int, error) { return nil, &invalidOperation{"early"} }

// NullStream returns no stream.
func (Probe) NullStream() <-chan int { return nil }

// Concat joins all items; when the stream fails, "|", the error's name, ":" and its text follow.
func (Probe) Concat(items iter.Seq2[string, error]) string {
	var all strings.Builder
	for item, err := range items {
		if err != nil {
			all.WriteString("|" + nameAndText(err))
			break
		}
		all.WriteString(item)
	}
	return all.String()
}

// ConcatTwo joins the text, all of the first stream and all of the second.
func (Probe) ConcatTwo(text string, first <-chan string, second iter.Seq[int32]) string {
	var all strings.Builder
	all.WriteString(text)
	for item := range first {
		all.WriteString(item)
	}
	for item := range second {
		all.WriteString(strconv.Itoa(int(item)))
	}
	return all.String()
}

// ConcatApart joins all of the first stream, the text and all of the second: the official JavaScript clients leave out the second of two
// streams that stand side by side, so with those a client cannot test two.
func (Probe) ConcatApart(first <-chan string, text string, second iter.Seq[int32]) string {
	var all strings.Builder
	for item := range first {
		all.WriteString(item)
	}
	all.WriteString(text)
	for item := range second {
		all.WriteString(strconv.Itoa(int(item)))
	}
	return all.String()
}

// TakeOne returns the first item.
func (Probe) TakeOne(items <-chan string) (string, error) {
	item, ok := <-items
	if !ok {
		return "", spoke.Errorf("the stream has no item")
	}
	return item, nil
}

// Shout streams each item with an exclamation mark.
func (Probe) Shout(items iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range items {
			if !yield(item+"!", err) {
				return
			}
		}
	}
}
