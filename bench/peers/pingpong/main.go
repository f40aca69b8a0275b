// A value to and fro between two goroutines over two unbuffered channels.

package main

import (
	"sync"
	"time"
)

func init() { workloads["pingpong"] = pingpong }

func pingpong() {
	n := count(1_000_000)
	ping, pong := make(chan int), make(chan int)
	var wg sync.WaitGroup
	wg.Add(2)
	start := time.Now()
	go func() {
		for i := 0; i < n; i++ {
			pong <- <-ping
		}
		wg.Done()
	}()
	go func() {
		for i := 0; i < n; i++ {
			ping <- i
			if <-pong != i {
				panic("bad value")
			}
		}
		wg.Done()
	}()
	wg.Wait()
	perOp("pingpong", start, n)
}
