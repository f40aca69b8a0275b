// Two goroutines that only yield.

package main

import (
	"runtime"
	"sync"
	"time"
)

func init() { workloads["yield"] = yield }

func yield() {
	n := count(5_000_000)
	var wg sync.WaitGroup
	wg.Add(2)
	start := time.Now()
	for f := 0; f < 2; f++ {
		go func() {
			for i := 0; i < n; i++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	perOp("yield", start, 2*n)
}
