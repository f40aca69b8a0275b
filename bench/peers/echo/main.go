// A TCP echo server on the loopback interface; ends by itself after a minute.

package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func init() { workloads["echo"] = echo }

func echo() {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		panic(err)
	}
	time.AfterFunc(60*time.Second, func() { os.Exit(0) }) // bounded
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				k, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:k]); err != nil {
					return
				}
			}
		}()
	}
}
