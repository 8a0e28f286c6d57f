package steps

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ortest/ortest/bot/release"
	"github.com/ortest/ortest/plan/catalog"
)

// TestAReplicaShowsWhatItShowedBeforeAnotherDid has a release come back to what one
// replica showed last, after another has shown something else.
func TestAReplicaShowsWhatItShowedBeforeAnotherDid(t *testing.T) {
	cat, err := catalog.Examples()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, story{
			rules: []release.Rule{{Branches: []string{"release"}, Targets: []string{"t-hello"}, Override: time.Minute}},
			fails: failsIn("1", "t-hello"), parts: []part{{atOnce, pushRelease}},
		}, cat)
		w.live()
		is := func(conclusion string) {
			t.Helper()
			if want := "check ortest / release of release release: completed " + conclusion; !strings.Contains(w.outcome(), want) {
				t.Errorf("want %q in:\n%s", want, w.outcome())
			}
		}
		is("failure")
		one := w.releases
		w.begin() // another replica
		w.press(release.CheckName, "release_override")
		w.work(ctx)
		is("success")
		<-time.After(time.Minute) // the override is over
		if err := one.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		is("failure")
	})
}
