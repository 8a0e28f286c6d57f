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
	want, subscriptions := Needs()
	if !maps.Equal(have, want) {
		t.Errorf("a token has %v, the App needs %v", have, want)
	}
	if len(subscriptions) != len(events) {
		t.Errorf("events %v", subscriptions)
	}
}
