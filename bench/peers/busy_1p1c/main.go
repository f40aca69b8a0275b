// buf_1p1c with two microseconds of work on each side.

package main

import "time"

func init() { workloads["busy_1p1c"] = busyPipe }

func busyPipe() {
	n := count(200_000)
	ch := make(chan uint64, 128)
	start := time.Now()
	go func() {
		for i := 0; i < n; i++ {
			ch <- busy(uint64(i), 2)
		}
		close(ch)
	}()
	received, mixed := 0, uint64(0)
	for v := range ch {
		mixed ^= busy(v, 2)
		received++
	}
	perOp("busy_1p1c", start, n)
	if received != n || mixed == 0 {
		panic("lost items")
	}
}
