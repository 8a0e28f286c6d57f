package crash

import (
	"testing"
)

func TestCoresAreTakenWhereTheyAreOurs(t *testing.T) {
	for _, tt := range []struct{ pattern, want, other string }{
		{"core", "core", ""},
		{"core.%p", "core.%p", ""},
		{"cores/%e", "cores/%e", ""},
		{"", "", "the kernel keeps none"},
		{"|/usr/lib/systemd/systemd-coredump %P %u", "", "the kernel gives them to systemd-coredump"},
		{"|", "", "the kernel gives them to program"},
		{"/var/crash/core.%p", "", "the kernel puts them into /var/crash"},
	} {
		if got, other := usable(tt.pattern); got != tt.want || other != tt.other {
			t.Errorf("%q: %q, %q", tt.pattern, got, other)
		}
	}
}

func TestTheFirstFrameIsShownOnce(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"with its source before the stack", "a\n#0 f\n1\tsource\n#0 f\n#1 g\n", "a\n#0 f\n#1 g\n"},
		{"of several threads each has one", "a\n#0 f\n#1 g\n#0 h\n", "a\n#0 f\n#1 g\n#0 h\n"},
		{"alone", "a\n#0 f\n", "a\n#0 f\n"},
		{"none", "no core", "no core"},
	} {
		if got := once(tt.text); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

func TestLongOutputIsCut(t *testing.T) {
	l := &limited{left: 3}
	for _, s := range []string{"ab", "cd", "e"} {
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	}
	if got := l.text.String(); got != "abc" {
		t.Errorf("kept %q", got)
	}
}
