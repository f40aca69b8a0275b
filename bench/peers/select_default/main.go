// A receive that does not block, on an empty channel.

package main

import "time"

func init() { workloads["select_default"] = selectDefault }

func selectDefault() {
	n := count(50_000_000)
	ch := make(chan int, 16)
	miss := 0
	start := time.Now()
	for i := 0; i < n; i++ {
		select {
		case v := <-ch:
			sink = v
		default:
			miss++
		}
	}
	perOp("select_default", start, n)
	if miss != n {
		panic("unexpected value")
	}
}
