package main

import (
	"strings"
	"testing"
)

func TestLiteralsOfPerl(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       string // kinds and texts; or the error
	}{
		{"quotes end at their own kind, and a backslash is itself between single ones", `('it\'s', "a \"b\"\n", 'a\.b\\')`, `it's|a "b"⏎|a\.b\`},
		{"any quotes do", `(q{a{b}c}, q(a\)b\(c), qq<x\t>, qr{a{2}\}}, qr!/\!!)`, "a{b}c|a)b(c|x\t|/a{2}\\}/|//!/"},
		{"a regex keeps its escapes but for its quote's, and has its flags in front", `(qr/a\/b\.c/sm, qr/x/)`, `/(?ms)a/b\.c/|/x/`},
		{`what stands between \Q and \E means itself`, `(qr/\Qa.b[1]\/\E.*\Q(c)/, qr/a\\Q./)`, `/a\.b\[1\]\/.*\(c\)/|/a\\Q./`},
		{"words need no quotes", "(qw(a b\n c), qw/d/)", "a|b|c|d"},
		{"a key needs no quotes before =>", `(abc => 1, 'd' => undef)`, "abc|1|d|undef"},
		{"comments and empty places are nothing", "(\n # 'a', ) \n 'b', , # c\n)", "b"},
		{"a sign of a comment within quotes is none", `('#', qr/#/)`, "#|/#/"},
		{"lists nest", `(a => [['b', undef], {c => 'd'}])`, "a|[[b|undef]|[c|d]]"},
		{"a variable is not known without running it", `($x, "a $x", qr/@{y}/, f('a,b'), 'z')`, `?$x?|?"a $x"?|?qr/@{y}/?|?f('a,b')?|z`},
		{"nor is what is done with a text", `('a' . $b, ['c', 'd' x 3])`, `?'a' . $b?|[c|?'d' x 3?]`},
		{"an escaped sign is no variable", `("a\$x \@y", qr/\$a$/)`, `a$x @y|/\$a$/`},
		{"a list that is not closed says where it began", "(['x'],\n['a',\n'b'\n#", "line 2: the list that begins here is not closed"},
		{"so does a text", "(\n'a,\n)", "line 2: what ' begins here is not ended"},
		{"a wrong bracket says what it should be", "(\n['a')\n", `line 2: ')' stands where ']' closes the list of line 2`},
		{"a hundred lists in each other are read", strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100), strings.Repeat("[", 99) + "1" + strings.Repeat("]", 99)},
		{"one more is refused", strings.Repeat("(", 101) + strings.Repeat(")", 101), "line 1: more than 100 lists are in each other"},
		{"it must be a list", "\n$x;", "line 2: %v is no list in parentheses"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, _, found, err := perlVariable("my %v = "+tt.text, "%v")
			if !found {
				t.Fatal("there is no such variable")
			}
			got := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(shownLiteral(list), "["), "]"), "\n", "⏎")
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
			}
		})
	}
}

func shownLiteral(v perlValue) string {
	switch v.kind {
	case perlUndef:
		return "undef"
	case perlText:
		return v.text
	case perlRegex:
		return "/" + v.text + "/"
	case perlList:
		var all []string
		for _, item := range v.items {
			all = append(all, shownLiteral(item))
		}
		return "[" + strings.Join(all, "|") + "]"
	}
	return "?" + v.text + "?"
}

func TestTheLaterOfTwoKeysCounts(t *testing.T) {
	list, _, _, err := perlVariable("our %v = (\na => 1,\nb => 2,\na => 3);", "%v")
	if err != nil {
		t.Fatal(err)
	}
	keys, values, lost := list.pairs()
	if len(keys) != 2 || keys[0].text != "b" || values[1].text != "3" || len(lost) != 1 || lost[0].line != 2 {
		t.Errorf("keys %v, values %v, lost %v", keys, values, lost)
	}
}

func TestLinesAreThoseOfTheFile(t *testing.T) {
	list, comments, _, err := perlVariable("#!/usr/bin/perl\n\nmy @v = (\n    'a', # one\n    [\n    'b' ],\n);\n", "@v")
	if err != nil {
		t.Fatal(err)
	}
	if list.line != 3 || list.items[0].line != 4 || list.items[1].line != 5 || list.items[1].end != 6 || len(comments) != 1 || comments[0].line != 4 || comments[0].text != "one" {
		t.Errorf("list %+v, comments %+v", list, comments)
	}
}

func FuzzLiteralsOfPerl(f *testing.F) {
	for _, seed := range []string{"('a', qr/b/s, [undef, \"c\"])", "(qw(a b) => {", "(q{{}, \\", "(a . 'b', f(')'))", "(#\n'x'=>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, _, found, err := perlVariable("my %v = "+text, "%v")
		if !found || err != nil {
			return
		}
		if list.line < 1 || list.end < list.line || list.end > 1+strings.Count(text, "\n") {
			t.Errorf("%q: lines %d to %d", text, list.line, list.end)
		}
	})
}
