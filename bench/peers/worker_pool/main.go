// Go's library has no pool class; what its users write instead, at the same queue length.

package main

func init() { workloads["worker_pool"] = func() { pool("worker_pool", 128, 1_000_000, identity) } }
