package limits_test

import (
	"fmt"
	"log"
	"time"

	"github.com/spokehub/spoke/limits"
)

func ExampleLimiter_Take() {
	l, err := limits.NewLimiter(limits.Rates{Messages: 10, MessagesBurst: 2, Mode: limits.Wait}, 32<<10)
	if err != nil {
		log.Fatal(err)
	}
	var connection limits.Buckets
	start := 5 * time.Second // any monotonic clock
	for range 3 {
		wait, ok := l.Take(&connection, start, 100)
		fmt.Println(wait, ok)
	}
	wait, ok := l.Take(&connection, start+100*time.Millisecond, 100)
	fmt.Println(wait, ok)
	// Output:
	// 0s true
	// 0s true
	// 100ms false
	// 0s true
}
