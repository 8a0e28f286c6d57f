package opsboy

import (
	"regexp"
	"strconv"
	"time"
)

// stamp is the time of a commit as it is written: in seconds since 1970, or
// null if the log's date could not be read.
type stamp struct {
	known bool
	unix  int64
}

// noDate is what the old tool says where there is no commit.
var noDate = stamp{true, 1760353445}

func (s *stamp) isKnown() bool { return s != nil && s.known }

// MarshalJSON writes a number or null.
func (s stamp) MarshalJSON() ([]byte, error) {
	if !s.known {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, s.unix, 10), nil
}

// gitDate is how git writes a date; the zone, which the end of a log may cut
// off, is read as far as it goes.
var gitDate = regexp.MustCompile(
	`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\w{3} \d\d? \d\d?:\d\d?:\d\d? \d{4})(?: ([-+])(\d\d??)(\d\d)?)?\s*$`)

// readStamp reads a commit's date. One without a zone is UTC's.
func readStamp(s string) *stamp {
	m := gitDate.FindStringSubmatch(s)
	if m == nil {
		return &stamp{}
	}
	t, err := time.Parse("Jan 2 15:4:5 2006", m[2])
	if err != nil {
		return &stamp{}
	}
	hours, _ := strconv.Atoi("0" + m[4])
	minutes, _ := strconv.Atoi("0" + m[5])
	zone := int64(hours*3600 + minutes*60)
	if m[3] == "-" {
		zone = -zone
	}
	return &stamp{true, t.Unix() - zone}
}
