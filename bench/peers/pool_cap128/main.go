// Four workers between two channels of capacity 128, one of tasks and one of results.

package main

func init() { workloads["pool_cap128"] = func() { pool("pool_cap128", 128, 1_000_000, identity) } }
