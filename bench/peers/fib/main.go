// Fork and join without a cut-off, joined by a wait group (fib) or by a channel of capacity 1 (fib_chan).

package main

import (
	"sync"
	"time"
)

func init() {
	workloads["fib"] = fib
	workloads["fib_chan"] = fibChan
}

func fibTask(k int) int {
	if k < 2 {
		return k
	}
	c := make(chan int, 1)
	go func() { c <- fibTask(k - 1) }()
	y := fibTask(k - 2)
	return <-c + y
}

func fibWG(k int, out *int) {
	if k < 2 {
		*out = k
		return
	}
	var x, y int
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { fibWG(k-1, &x); wg.Done() }()
	fibWG(k-2, &y)
	wg.Wait()
	*out = x + y
}

func fibSeq(k int) int {
	if k < 2 {
		return k
	}
	return fibSeq(k-1) + fibSeq(k-2)
}

func fib() {
	k := count(30)
	var r int
	start := time.Now()
	fibWG(k, &r)
	el := time.Since(start)
	if r != fibSeq(k) {
		panic("bad fib")
	}
	emit("fib", float64(el.Nanoseconds())/1e6, "ms")
}

func fibChan() {
	k := count(30)
	start := time.Now()
	r := fibTask(k)
	el := time.Since(start)
	if r != fibSeq(k) {
		panic("bad fib")
	}
	emit("fib_chan", float64(el.Nanoseconds())/1e6, "ms")
}
