// A receive with a timeout of ten seconds that never comes: time.After (after_select), NewTimer and Stop
// (after_select_timer).

package main

import "time"

func init() {
	workloads["after_select"] = func() { afterSelect("after_select", false) }
	workloads["after_select_timer"] = func() { afterSelect("after_select_timer", true) }
}

func afterSelect(name string, stop bool) {
	n := count(1_000_000)
	ch := make(chan int)
	go func() {
		for i := 0; i < n; i++ {
			ch <- i
		}
	}()
	start := time.Now()
	for i := 0; i < n; i++ {
		if stop {
			t := time.NewTimer(10 * time.Second)
			select {
			case v := <-ch:
				sink = v
			case <-t.C:
				panic("timeout")
			}
			t.Stop()
		} else {
			select {
			case v := <-ch:
				sink = v
			case <-time.After(10 * time.Second):
				panic("timeout")
			}
		}
	}
	perOp(name, start, n)
}
