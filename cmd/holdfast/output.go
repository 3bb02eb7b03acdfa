package main

import (
	"encoding/json"
	"io"
)

// head begins every summary.
type head struct {
	MessageType string   `json:"message_type"` // "summary"
	Command     string   `json:"command"`
	Code        exitCode `json:"code"` // what the process ends with
}

func summary(command string, code exitCode) head { return head{"summary", command, code} }

// report is the result of a command that did its work. Its JSON form is a
// summary: a struct that begins with a head.
type report interface {
	exit() exitCode
	text(a *app, w io.Writer) error // for people
}

func (h head) exit() exitCode { return h.Code }

// finish shows the report of a command and keeps its exit code.
func (a *app) finish(r report) error {
	a.code = r.exit()
	if a.json {
		return a.encode(r)
	}
	return r.text(a, a.stdout)
}

// encode writes one JSON line.
func (a *app) encode(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// colour is an ANSI code. Colour repeats what the words say, never more.
type colour string

const (
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

// paint gives visible text a colour, where there are colours.
func (a *app) paint(c colour, s string) painted {
	s = visible(s, `\n`)
	if !a.color {
		return painted(s)
	}
	return painted("\x1b[" + string(c) + "m" + s + "\x1b[0m")
}
