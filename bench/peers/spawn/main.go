// Goroutines that do nothing, started in batches of 1000 and waited for.

package main

import (
	"sync"
	"time"
)

func init() { workloads["spawn"] = spawn }

func spawn() {
	n := count(1_000_000)
	const batch = 1000
	start := time.Now()
	for done := 0; done < n; done += batch {
		var wg sync.WaitGroup
		wg.Add(batch)
		for i := 0; i < batch; i++ {
			go func() { wg.Done() }()
		}
		wg.Wait()
	}
	perOp("spawn", start, n)
}
