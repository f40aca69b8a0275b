// 503 goroutines in a ring of unbuffered channels; a token makes n hops.

package main

import "time"

func init() { workloads["ring"] = ring }

func ring() {
	n := count(1_000_000)
	const size = 503
	var ch [size]chan int
	for i := range ch {
		ch[i] = make(chan int)
	}
	done := make(chan struct{})
	for i := 0; i < size; i++ {
		go func(in, out chan int) {
			for {
				t := <-in
				if t == 0 {
					close(done)
					return
				}
				out <- t - 1
			}
		}(ch[i], ch[(i+1)%size])
	}
	start := time.Now()
	ch[0] <- n
	<-done
	perOp("ring", start, n)
}
