package hubrt

import "sync/atomic"

// Stats are counters since the start, and gauges. They are read one after the other, so together they are no exact snapshot.
type Stats struct {
	Connections int64 // now, from Open until the connection and its hooks have ended
	// Departed are, of these, those whose transport has gone and that wait for a worker, most for their disconnected event. See RuntimeConfig.MaxDeparted.
	Departed      int64
	EventsDropped int64 // connected and disconnected events that have not run because a Drain was given up

	Handshakes  int64 // accepted
	MessagesIn  int64 // hub messages, without handshakes
	Calls       int64 // run
	CallsFailed int64 // run and failed, or refused
	Panics      int64 // of methods and hooks
	Published   int64 // Target.Send calls

	SendBytes    int64 // now: of sends and membership changes that wait for the loops
	SendsRefused int64 // sends and joins that failed with ErrSendQueueFull

	Questions        int64 // now: calls of client methods whose answer is waited for
	QuestionsRefused int64 // that failed with ErrTooManyQuestions
	QuestionsExpired int64 // that nobody has answered within Options.ClientResultTimeout

	StatefulBytes   int64 // now: what is kept for clients with stateful reconnect
	Away            int64 // now: connections that wait for their client to come back
	Resumed         int64 // clients that have come back
	StatefulExpired int64 // that have not
	StatefulEvicted int64 // connections that were dropped while away because of RuntimeConfig.StatefulMemory

	CallsWaiting, CallsRunning, Workers int64 // now; inline calls are in none of these

	Streams        int64 // now: calls with streams, in either direction, each with a goroutine of its own
	StreamsRefused int64 // calls with streams over Options.MaxStreams
	StreamItems    int64 // sent to clients

	RateWaits, RateRejects, RateCloses int64 // records over the rate, by limits.Mode
}

// counters belong to one loop, which does most of the counting; workers and readers come from elsewhere.
type counters struct {
	handshakes, messagesIn, calls, callsFailed, panics atomic.Int64
	rateWaits, rateRejects, rateCloses                 atomic.Int64
	itemsOut                                           atomic.Int64
}

// Stats may be called on any goroutine.
func (rt *Runtime) Stats() Stats {
	s := Stats{
		Connections:  rt.connections.Load(),
		Departed:     rt.departed.Load(),
		Published:    rt.published.Load(),
		SendsRefused: rt.refused.Load(),
		Questions:    rt.questions.Load(),

		EventsDropped:    rt.eventsDropped.Load(),
		QuestionsRefused: rt.questionsRefused.Load(),
		QuestionsExpired: rt.questionsExpired.Load(),

		CallsWaiting: rt.callsWaiting.Load(),
		CallsRunning: rt.callsRunning.Load(),
		Workers:      int64(rt.pool.size()),

		Streams:        rt.streams.Load(),
		StreamsRefused: rt.streamsRefused.Load(),
	}
	for i := range rt.locals {
		c := &rt.locals[i].counters
		s.SendBytes += rt.locals[i].queued.Load()
		l := &rt.locals[i].ledger
		s.StatefulBytes += l.kept.Load()
		s.Away += l.away.Load()
		s.Resumed += l.resumed.Load()
		s.StatefulExpired += l.expired.Load()
		s.StatefulEvicted += l.evicted.Load()
		s.Handshakes += c.handshakes.Load()
		s.MessagesIn += c.messagesIn.Load()
		s.Calls += c.calls.Load()
		s.CallsFailed += c.callsFailed.Load()
		s.Panics += c.panics.Load()
		s.StreamItems += c.itemsOut.Load()
		s.RateWaits += c.rateWaits.Load()
		s.RateRejects += c.rateRejects.Load()
		s.RateCloses += c.rateCloses.Load()
	}
	return s
}
