// The Go peer: one program. Its workloads stand in bench/peers/WORKLOAD/main.go; the build brings them together with
// this file in one folder. Usage: peer_go WORKLOAD [--threads N] [--n N] [--port P].
// Prints: workload<TAB>threads<TAB>value<TAB>unit. A workload checks its answer and panics when it is wrong.

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const roundsPerUs = 800 // of the chain in busy: about a microsecond at 4 GHz, the same in every peer

var (
	threads   = 1
	nFlag     = 0
	port      = 7000
	sink      int
	workloads = map[string]func(){}
)

// busy is work that neither memory nor the runtime takes part in: a chain of multiplications that no
// compiler can shorten.
//
//go:noinline
func busy(x uint64, microseconds int) uint64 {
	for i := 0; i < microseconds*roundsPerUs; i++ {
		x = (x^x>>29)*6364136223846793005 + 1442695040888963407
	}
	return x
}

func count(def int) int {
	if nFlag > 0 {
		return nFlag
	}
	return def
}

func emit(name string, value float64, unit string) {
	fmt.Printf("%s\t%d\t%.4g\t%s\n", name, threads, value, unit)
}

func perOp(name string, start time.Time, ops int) {
	emit(name, float64(time.Since(start).Nanoseconds())/float64(ops), "ns")
}

func rssBytes() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "VmRSS:") {
			kb, _ := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
			return kb * 1024
		}
	}
	panic("no VmRSS")
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	s := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return s(u.Utime) + s(u.Stime)
}

func pipe(name string, capacity, producers, consumers int) {
	n := count(2_000_000)
	ch := make(chan int, capacity)
	var prod, cons sync.WaitGroup
	prod.Add(producers)
	cons.Add(consumers)
	got := make([]int, consumers)
	start := time.Now()
	for p := 0; p < producers; p++ {
		go func() {
			for i := 0; i < n/producers; i++ {
				ch <- i
			}
			prod.Done()
		}()
	}
	for c := 0; c < consumers; c++ {
		go func(c int) {
			k := 0
			for range ch {
				k++
			}
			got[c] = k
			cons.Done()
		}(c)
	}
	prod.Wait()
	close(ch)
	cons.Wait()
	perOp(name, start, n)
	total := 0
	for _, k := range got {
		total += k
	}
	if total != n/producers*producers {
		panic("lost items")
	}
}

func identity(i int) func() int {
	return func() int { return i }
}

// pool runs n closures, makeTask(i) the i-th, on four workers between two channels; each closure returns its number.
func pool(name string, capacity, defaultCount int, makeTask func(i int) func() int) {
	n := count(defaultCount)
	tasks := make(chan func() int, capacity)
	results := make(chan int, capacity)
	var wg sync.WaitGroup
	wg.Add(4)
	start := time.Now()
	for w := 0; w < 4; w++ {
		go func() {
			for t := range tasks {
				results <- t()
			}
			wg.Done()
		}()
	}
	go func() {
		for i := 0; i < n; i++ {
			tasks <- makeTask(i)
		}
		close(tasks)
		wg.Wait()
		close(results)
	}()
	sum := 0
	for r := range results {
		sum += r
	}
	perOp(name, start, n)
	if sum != n*(n-1)/2 {
		panic("bad sum")
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: peer_go WORKLOAD [--threads N] [--n N] [--port P]")
		os.Exit(2)
	}
	for i := 2; i+1 < len(os.Args); i += 2 {
		v, err := strconv.Atoi(os.Args[i+1])
		if err != nil {
			panic(err)
		}
		switch os.Args[i] {
		case "--threads":
			threads = v
		case "--n":
			nFlag = v
		case "--port":
			port = v
		default:
			panic("unknown option " + os.Args[i])
		}
	}
	workload, ok := workloads[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "n/a")
		os.Exit(3)
	}
	runtime.GOMAXPROCS(threads)
	workload()
}
