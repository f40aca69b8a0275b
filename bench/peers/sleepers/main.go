// Many goroutines that each sleep three times for 1 to 500 ms: CPU time, and how long it takes.

package main

import (
	"sync"
	"time"
)

func init() { workloads["sleepers"] = sleepers }

func sleepers() {
	n := count(100_000)
	c0, t0 := cpuSeconds(), time.Now()
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func(i int) {
			r := uint64(i)*2654435761 + 12345
			for k := 0; k < 3; k++ {
				r = r*6364136223846793005 + 1442695040888963407
				time.Sleep(time.Duration(1+(r>>33)%500) * time.Millisecond)
			}
			wg.Done()
		}(i)
	}
	wg.Wait()
	wall := time.Since(t0).Seconds()
	emit("sleepers_cpu", cpuSeconds()-c0, "s")
	emit("sleepers_wall", wall, "s")
}
