// A tree of goroutines, ten below each, with n leaves; the sums come back over channels.

package main

import "time"

func init() { workloads["skynet"] = skynet }

func skynode(c chan int64, num, size int64) {
	if size == 1 {
		c <- num
		return
	}
	rc := make(chan int64)
	size /= 10
	for i := int64(0); i < 10; i++ {
		go skynode(rc, num+i*size, size)
	}
	var sum int64
	for i := 0; i < 10; i++ {
		sum += <-rc
	}
	c <- sum
}

func skynet() {
	n := int64(count(1_000_000))
	c := make(chan int64)
	start := time.Now()
	go skynode(c, 0, n)
	sum := <-c
	el := time.Since(start)
	if sum != n*(n-1)/2 {
		panic("bad sum")
	}
	emit("skynet", float64(el.Nanoseconds())/1e6, "ms")
}
