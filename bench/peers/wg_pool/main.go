// Four workers between two unbuffered channels, one of tasks and one of results.

package main

func init() { workloads["wg_pool"] = func() { pool("wg_pool", 0, 1_000_000, identity) } }
