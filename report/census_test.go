package report

import "testing"

func TestHowOftenAFileAsksEachBlock(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      int
	}{
		{"a plain number", "repeat_each(100);\n\nrun_tests();\n__DATA__\n", 100},
		{"the first one counts", "repeat_each(2);\nrepeat_each(3);\n__DATA__\n", 2},
		{"blanks", "  repeat_each( 7 );\n__DATA__\n", 7},
		{"a comment says nothing", "#repeat_each(120);\n__DATA__\n", 0},
		{"what Perl works out is not known", "repeat_each($n * 2);\n__DATA__\n", 0},
		{"a plan is no repeat", "plan tests => repeat_each() * 2;\n__DATA__\n", 0},
		{"data says nothing", "__DATA__\nrepeat_each(9);\n", 0},
		{"the most that is believed", "repeat_each(100000);\n__DATA__\n", 100_000},
		{"and one more", "repeat_each(100001);\n__DATA__\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ReadTestFile("t/a.t", []byte(c.src)).Repeat; got != c.want {
				t.Errorf("repeat_each is read as %d, want %d", got, c.want)
			}
		})
	}
}
