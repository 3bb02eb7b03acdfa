package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/atocore/holdfast/core/manifest"
	"github.com/atocore/holdfast/core/source"
)

// maxJSON is the size in bytes up to which a file is parsed; it is held in memory for that.
const maxJSON = 64 << 20

// Inspect looks into the staged or restored copy at path, of the given format ("" or JSON). What is
// wrong with the copy is in the report; the error is for an inspection that could not be carried out.
//
// The checks are present and, with format JSON, json. At level None they are made and told only when they fail.
func Inspect(ctx context.Context, path, format string, level source.Level) (source.Report, error) {
	if err := ctx.Err(); err != nil {
		return source.Report{}, err
	}
	facts := &manifest.FileFacts{Format: format}
	r := source.Report{Facts: &manifest.Facts{File: facts}}
	add := func(name string, result manifest.Result, id, detail string) {
		if level > source.None || result == manifest.Failed {
			r.Checks = append(r.Checks, manifest.Check{Name: name, Result: result, ID: id, Detail: manifest.ClipText(detail)})
		}
	}
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		add("present", manifest.Failed, IDMissing, "the file is missing")
		return r, nil
	case err != nil:
		return r, fmt.Errorf("inspect %s: %w", path, err)
	case !fi.Mode().IsRegular():
		add("present", manifest.Failed, IDSpecial, "it is no regular file but "+source.FileType(fi.Mode()))
		return r, nil
	}
	add("present", manifest.OK, "", "")
	if format != JSON {
		return r, nil
	}
	if fi.Size() > maxJSON {
		add("json", manifest.Inconclusive, "", fmt.Sprintf("not checked: %d bytes are more than the %d that are parsed", fi.Size(), maxJSON))
		return r, nil
	}
	n, err := parse(path)
	var bad *jsonError
	switch {
	case errors.As(err, &bad):
		add("json", manifest.Failed, IDInvalidJSON, bad.Error())
	case err != nil:
		return r, fmt.Errorf("inspect %s: %w", path, err)
	default:
		facts.Entries = n
		add("json", manifest.OK, "", "")
	}
	return r, nil
}

// jsonError says what is wrong with a document, without quoting it: a registry may hold secrets.
type jsonError struct {
	msg  string
	line int // from 1; 0 when unknown
}

func (e *jsonError) Error() string {
	if e.line == 0 {
		return e.msg
	}
	return fmt.Sprintf("line %d: %s", e.line, e.msg)
}

func validJSON(path string) error {
	_, err := parse(path)
	return err
}

// parse reads one JSON document in valid UTF-8 and counts the members of its top-level object or
// array. encoding/json bounds the nesting.
func parse(path string) (entries int64, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return 0, &jsonError{msg: "the file is empty"}
	}
	if !utf8.Valid(b) {
		return 0, &jsonError{msg: "it is not valid UTF-8"}
	}
	var raw json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return 0, &jsonError{msg: syntax.Error(), line: 1 + bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n"))}
		}
		return 0, &jsonError{msg: err.Error()}
	}
	return count(b)
}

// count counts the members of the top-level object or array of a valid document; 0 for anything else.
func count(b []byte) (entries int64, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	open, err := d.Token()
	if err != nil {
		return 0, err
	}
	if _, compound := open.(json.Delim); !compound {
		return 0, nil
	}
	for ; d.More(); entries++ {
		if open == json.Delim('{') {
			if _, err := d.Token(); err != nil {
				return 0, err
			}
		}
		var member json.RawMessage
		if err := d.Decode(&member); err != nil {
			return 0, err
		}
	}
	return entries, nil
}
