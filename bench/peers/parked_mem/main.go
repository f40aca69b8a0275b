// Goroutines parked on a receive: resident memory of each.

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

func init() { workloads["parked_mem"] = parkedMem }

func parkedMem() {
	n := count(1_000_000)
	release := make(chan int)
	runtime.GC()
	debug.FreeOSMemory()
	before := rssBytes()
	for i := 0; i < n; i++ {
		go func() { <-release }()
	}
	time.Sleep(2 * time.Second) // let every goroutine reach its receive
	after := rssBytes()
	emit("parked_mem", float64(after-before)/float64(n), "bytes")
	os.Exit(0)
}
