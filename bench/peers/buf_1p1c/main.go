// Integers through a channel of capacity 128.

package main

func init() { workloads["buf_1p1c"] = func() { pipe("buf_1p1c", 128, 1, 1) } }
