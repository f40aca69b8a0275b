// Integers through an unbuffered channel.

package main

func init() { workloads["unbuf_1p1c"] = func() { pipe("unbuf_1p1c", 0, 1, 1) } }
