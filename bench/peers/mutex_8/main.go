// Eight goroutines on one mutex.

package main

import (
	"sync"
	"time"
)

func init() { workloads["mutex_8"] = mutex8 }

func mutex8() {
	n := count(8_000_000)
	var mu sync.Mutex
	var wg sync.WaitGroup
	wg.Add(8)
	shared := 0
	start := time.Now()
	for g := 0; g < 8; g++ {
		go func() {
			for i := 0; i < n/8; i++ {
				mu.Lock()
				shared++
				mu.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	perOp("mutex_8", start, n/8*8)
	if shared != n/8*8 {
		panic("bad count")
	}
}
