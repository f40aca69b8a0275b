// A goroutine that has a thread of its own asks, another one answers, over two unbuffered channels.

package main

import (
	"runtime"
	"time"
)

func init() { workloads["thread_pingpong"] = threadPingpong }

func threadPingpong() {
	n := count(200_000)
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			pong <- v
		}
	}()
	done := make(chan struct{})
	start := time.Now()
	go func() {
		runtime.LockOSThread()
		for i := 0; i < n; i++ {
			ping <- i
			if <-pong != i {
				panic("bad value")
			}
		}
		close(ping)
		close(done)
	}()
	<-done
	perOp("thread_pingpong", start, n)
}
