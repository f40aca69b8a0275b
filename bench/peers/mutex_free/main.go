// Lock and unlock, nobody else there.

package main

import (
	"sync"
	"time"
)

func init() { workloads["mutex_free"] = mutexFree }

func mutexFree() {
	n := count(100_000_000)
	var mu sync.Mutex
	start := time.Now()
	for i := 0; i < n; i++ {
		mu.Lock()
		sink++
		mu.Unlock()
	}
	perOp("mutex_free", start, n)
}
