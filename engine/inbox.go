package engine

// Task is work for a loop. Tasks of one goroutine run in the order posted.
type Task interface{ Run(l *Loop) }

// Merger is a Task that can take over the work of the one behind it in the queue, so that runs of broadcasts become one.
type Merger interface {
	Task
	// Merge takes next's work and reports true, or reports false and leaves next alone. Runs on the loop.
	Merge(next Task) bool
}

// TaskFunc makes a Task of a function.
type TaskFunc func(l *Loop)

// Run calls the function.
func (f TaskFunc) Run(l *Loop) { f(l) }

// taskBudget is how many tasks run before the sockets are looked at again.
const taskBudget = 1024

// Post queues t and wakes the loop if it sleeps; false when the loop has stopped. A task for which it answered true is run.
// The queue has no cap of its own: whoever posts for a peer bounds what that peer may have under way. Any goroutine.
func (l *Loop) Post(t Task) bool {
	l.inboxMu.Lock()
	if l.stopped {
		l.inboxMu.Unlock()
		return false
	}
	l.inbox = append(l.inbox, t)
	l.hasInbox.Store(true)
	l.inboxMu.Unlock()
	l.wakeUp()
	return true
}

// wakeUp ends the loop's sleep; of many callers one pays for it. Any goroutine.
func (l *Loop) wakeUp() {
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		l.drv.wake()
	}
}

// runTasks runs what was posted, at most taskBudget tasks; the rest waits for the next iteration.
func (l *Loop) runTasks() {
	if l.taskHead == len(l.tasks) {
		if !l.hasInbox.Load() {
			return
		}
		clear(l.tasks)
		spare := l.tasks[:0]
		if cap(spare) > 16*taskBudget { // a burst has made it large: let it go
			spare = nil
		}
		l.inboxMu.Lock()
		l.tasks, l.inbox = l.inbox, spare
		l.hasInbox.Store(false)
		l.inboxMu.Unlock()
		l.taskHead = 0
	}
	for end := l.taskHead + taskBudget; l.taskHead < end; { // those that others have taken over count, too
		if l.taskHead == len(l.tasks) {
			return
		}
		t := l.tasks[l.taskHead]
		l.taskHead++
		l.callTask(t)
	}
}

// hasTasks says that tasks wait.
func (l *Loop) hasTasks() bool { return l.taskHead < len(l.tasks) || l.hasInbox.Load() }

// stopPosts ends Post, unless something is queued still.
func (l *Loop) stopPosts() bool {
	l.inboxMu.Lock()
	defer l.inboxMu.Unlock()
	if len(l.inbox) > 0 || l.taskHead < len(l.tasks) {
		return false
	}
	l.stopped = true
	l.tasks, l.inbox = nil, nil
	l.taskHead = 0
	return true
}
