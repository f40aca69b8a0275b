// wg_pool with tasks of five microseconds.

package main

func init() { workloads["busy_pool"] = busyPool }

func busyPool() {
	pool("busy_pool", 0, 100_000, func(i int) func() int {
		return func() int {
			if busy(uint64(i), 5) == 0 {
				return 0
			}
			return i
		}
	})
}
