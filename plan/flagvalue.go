package plan

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// limitValue is -t: whole minutes.
type limitValue struct{ r *Request }

func (v limitValue) Type() string { return "minutes" }

func (v limitValue) String() string {
	if v.r == nil || v.r.Limit == 0 {
		return ""
	}
	return strconv.Itoa(int(v.r.Limit / time.Minute))
}

func (v limitValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1440 {
		return errors.New("give whole minutes from 1 to 1440, such as -t 60")
	}
	v.r.Limit = time.Duration(n) * time.Minute
	return nil
}

// splitValue is --split.
type splitValue struct{ r *Request }

func (v splitValue) Type() string { return "split" }

func (v splitValue) String() string {
	if v.r == nil {
		return ""
	}
	return v.r.Split
}

func (v splitValue) Set(s string) error {
	if s != "auto" && s != "never" {
		return errors.New("write --split auto or --split never")
	}
	v.r.Split = s
	return nil
}

// lanesValue is --lanes: auto is 0.
type lanesValue struct{ r *Request }

func (v lanesValue) Type() string { return "lanes" }

func (v lanesValue) String() string {
	if v.r == nil || v.r.Lanes == 0 {
		return "auto"
	}
	return strconv.Itoa(v.r.Lanes)
}

func (v lanesValue) Set(s string) error {
	if s == "auto" {
		v.r.Lanes = 0
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 64 {
		return errors.New("write --lanes auto or a number from 1 to 64")
	}
	v.r.Lanes = n
	return nil
}

// overheadValue is --boot or --build: minutes, to the second. It remembers
// that it was given, since 0 is an answer too.
type overheadValue struct {
	d   *time.Duration
	set *bool
}

func (v overheadValue) Type() string { return "minutes" }

func (v overheadValue) String() string {
	if v.d == nil || !*v.set {
		return ""
	}
	return strconv.FormatFloat(v.d.Minutes(), 'f', -1, 64)
}

func (v overheadValue) Set(s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 600 {
		return fmt.Errorf("give minutes from 0 to 600, such as 1.5")
	}
	*v.d = (time.Duration(math.Round(f*60)) * time.Second)
	*v.set = true
	return nil
}
