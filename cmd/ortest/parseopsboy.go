package main

import (
	"io"

	"github.com/ortest/ortest/report/opsboy"
)

// opsboyLogs writes one value for all logs together, as the old parser does.
type opsboyLogs struct {
	parser opsboy.Parser
	w      io.Writer
}

func (o *opsboyLogs) log(_ string, r io.Reader) error { return o.parser.Parse(r) }
func (o *opsboyLogs) end() error                      { return o.parser.Write(o.w) }
