package github

import (
	"encoding/json"
	"maps"
	"testing"
)

func TestTokensHaveWhatTheAppNeedsAndNoMore(t *testing.T) {
	raw, err := json.Marshal(permissions())
	if err != nil {
		t.Fatal(err)
	}
	var have map[string]string
	if err := json.Unmarshal(raw, &have); err != nil {
		t.Fatal(err)
	}
	want, subscriptions := Needs(false, false)
	if !maps.Equal(have, want) {
		t.Errorf("a token has %v, the App needs %v", have, want)
	}
	if len(subscriptions) != len(events) {
		t.Errorf("events %v", subscriptions)
	}
}

func TestWhatOnlySomeNeedIsAskedForByThemAlone(t *testing.T) {
	for _, tt := range []struct {
		name              string
		propose, teams    bool
		contents, members string
	}{
		{"nobody proposes or has teams", false, false, "read", ""},
		{"expectations are proposed", true, false, "write", ""},
		{"rights by team", false, true, "read", "read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			have, _ := Needs(tt.propose, tt.teams)
			if have["contents"] != tt.contents || have["members"] != tt.members {
				t.Errorf("asked for %v", have)
			}
			if lacks := lacking(needed, have); len(lacks) > 0 {
				t.Errorf("lacks %v", lacks)
			}
			if got := len(lacking(toPropose, have)) == 0; got != tt.propose {
				t.Errorf("it may propose: %v", got)
			}
			if got := len(lacking(toAsk, have)) == 0; got != tt.teams {
				t.Errorf("it may ask for members: %v", got)
			}
		})
	}
}
