// Integers through a channel of capacity 128, from four producers to four consumers.

package main

func init() { workloads["buf_4p4c"] = func() { pipe("buf_4p4c", 128, 4, 4) } }
