// Four producers, each on an unbuffered channel of its own; one consumer selects over the four.

package main

import "time"

func init() { workloads["select4"] = select4 }

func select4() {
	n := count(2_000_000)
	var c [4]chan int
	for i := range c {
		c[i] = make(chan int)
	}
	start := time.Now()
	for p := 0; p < 4; p++ {
		go func(ch chan int) {
			for i := 0; i < n/4; i++ {
				ch <- i
			}
		}(c[p])
	}
	done := make(chan int)
	go func() {
		s := 0
		for i := 0; i < n/4*4; i++ {
			select {
			case v := <-c[0]:
				s += v
			case v := <-c[1]:
				s += v
			case v := <-c[2]:
				s += v
			case v := <-c[3]:
				s += v
			}
		}
		done <- s
	}()
	sink = <-done
	perOp("select4", start, n/4*4)
	if each := n / 4; sink != 4*(each*(each-1)/2) {
		panic("bad sum")
	}
}
