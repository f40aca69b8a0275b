// Make a timer ten seconds ahead and stop it.

package main

import "time"

func init() { workloads["timer_stop"] = timerStop }

func timerStop() {
	n := count(5_000_000)
	start := time.Now()
	for i := 0; i < n; i++ {
		t := time.NewTimer(10 * time.Second)
		t.Stop()
	}
	perOp("timer_stop", start, n)
}
