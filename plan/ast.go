package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"time"
)

// astRecord is what the old ast.json says of one goal, as far as it is used.
type astRecord struct {
	Elapsed  json.RawMessage `json:"elapsed"` // seconds, as a string or a number; may be missing
	Result   string          `json:"result"`
	TestDate string          `json:"test_date"`
}

// astTree is arch, "nginx/1.29.2 (no pool)" or "miscellaneous", project, mode
// letters without the t.
type astTree map[string]map[string]map[string]map[string]astRecord

const (
	maxAST  = 64 << 20
	wantAST = "want arch, nginx, project, mode, elapsed, each in the one before"
)

var (
	astCore  = regexp.MustCompile(`^nginx/([0-9]+\.[0-9]+\.[0-9]+)\b`)
	astMode  = regexp.MustCompile(`^[a-z]{0,3}$`)
	astNames = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
)

// ImportAST adds the durations of the old tool's ast.json and returns how many
// goals it found. Goals without a duration are passed over, as the old tool
// does; a duration that cannot be is an error, and then nothing is added.
func (h *History) ImportAST(r io.Reader) (int, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxAST+1))
	if err != nil {
		return 0, fmt.Errorf("import ast.json: %w", err)
	}
	if len(b) > maxAST {
		return 0, fmt.Errorf("import ast.json: larger than %d bytes", maxAST)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return 0, errors.New("import ast.json: line 1, column 1: the file is empty; " + wantAST)
	}
	if err := checkKeys(b); err != nil {
		return 0, fmt.Errorf("import ast.json: %w", err)
	}
	var tree astTree
	if err := json.Unmarshal(b, &tree); err != nil {
		return 0, fmt.Errorf("import ast.json: %w", jsonPlace(b, err))
	}
	all, err := tree.observations()
	if err != nil {
		return 0, fmt.Errorf("import ast.json: %w", err)
	}
	if len(all) == 0 {
		return 0, errors.New("import ast.json: it holds no duration; " + wantAST)
	}
	for _, o := range all {
		if err := h.Add(o); err != nil {
			return 0, fmt.Errorf("import ast.json: %w", err)
		}
	}
	return len(all), nil
}

func (t astTree) observations() ([]Observation, error) {
	var all []Observation
	for _, arch := range slices.Sorted(maps.Keys(t)) {
		for _, ngx := range slices.Sorted(maps.Keys(t[arch])) {
			core := ""
			if m := astCore.FindStringSubmatch(ngx); m != nil {
				core = m[1]
			}
			for _, project := range slices.Sorted(maps.Keys(t[arch][ngx])) {
				for _, mode := range slices.Sorted(maps.Keys(t[arch][ngx][project])) {
					rec := t[arch][ngx][project][mode]
					o, ok, err := rec.observation()
					if err == nil && (!astMode.MatchString(mode) || !astNames.MatchString(project)) {
						err = errors.New("is no project and mode")
					}
					if err != nil {
						return nil, fmt.Errorf("%q, %q, %q, %q: %w", clip(arch), clip(ngx), clip(project), clip(mode), err)
					}
					if ok {
						o.Arch, o.Nginx, o.Goal = arch, core, "t"+mode+"-"+project
						all = append(all, o)
					}
				}
			}
		}
	}
	return all, nil
}

func (r astRecord) observation() (o Observation, ok bool, err error) {
	raw := bytes.Trim(r.Elapsed, `"`)
	if len(raw) == 0 || string(raw) == "null" {
		return Observation{}, false, nil
	}
	var secs float64 // a number of JSON's, quoted or not: nothing hexadecimal or infinite
	if err := json.Unmarshal(raw, &secs); err != nil || secs < 0 || secs > maxSeconds {
		return Observation{}, false, fmt.Errorf("elapsed %s is no number of seconds between 0 and a week", clip(string(r.Elapsed)))
	}
	o = Observation{Seconds: secs, Run: "ast.json"}
	if r.Result == "FAIL" {
		o.Outcome = "failed"
	}
	if at, err := time.Parse(time.DateTime, r.TestDate); err == nil {
		o.At = at
	}
	return o, true, nil
}

// checkKeys refuses a key that stands twice in an object: which of the two
// durations counts, nobody could say. What is no JSON is left to the decoder.
func checkKeys(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	var open []map[string]bool // keys of each object around; nil for a list
	key := false               // a key comes next
	for {
		tok, err := dec.Token()
		if err != nil {
			return nil
		}
		switch tok {
		case json.Delim('{'):
			open, key = append(open, map[string]bool{}), true
			continue
		case json.Delim('['):
			open, key = append(open, nil), false
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if name, ok := tok.(string); ok && key {
				keys := open[len(open)-1]
				if keys[name] {
					return atByte(b, dec.InputOffset()-int64(len(name))-2, fmt.Errorf("key %q stands twice in one object", clip(name)))
				}
				keys[name], key = true, false
				continue
			}
		}
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}

// jsonPlace adds line and column to an error of the decoder.
func jsonPlace(b []byte, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	at := int64(-1)
	switch {
	case errors.As(err, &syntax):
		at = max(syntax.Offset-1, 0) // it counts the byte at fault
	case errors.As(err, &typ):
		at = typ.Offset
		err = fmt.Errorf("%s stands where it cannot; %s", typ.Value, wantAST)
	}
	if at < 0 || at > int64(len(b)) {
		return err
	}
	return atByte(b, at, err)
}

// atByte adds the line and column of a byte.
func atByte(b []byte, at int64, err error) error {
	head := b[:max(at, 0)]
	return fmt.Errorf("line %d, column %d: %w", 1+bytes.Count(head, []byte{'\n'}), len(head)-bytes.LastIndexByte(head, '\n'), err)
}
