package valgrind

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	head = "<?xml version=\"1.0\"?>\n<valgrindoutput>\n<protocolversion>4</protocolversion>\n<pid>%d</pid>\n<ppid>%d</ppid>\n"
	tail = "<suppcounts><pair><count>2</count><name>mine</name></pair></suppcounts>\n</valgrindoutput>\n"
	read = "<error><unique>0x0</unique><tid>1</tid><kind>InvalidRead</kind><what>%s</what>" +
		"<stack><frame><ip>0x109189</ip><obj>/a</obj><fn>f&lt;int&gt;</fn><dir>/d</dir><file>a.c</file><line>5</line></frame>" +
		"<frame><ip>0x1091B9</ip><obj>/lib/b.so</obj></frame></stack>" +
		"<auxwhat>Address 0x1 is 0 bytes after a block of size 10 alloc'd</auxwhat>" +
		"<stack><frame><ip>0x48417B4</ip><obj>/m.so</obj><fn>malloc</fn></frame></stack>" +
		"<suppression><sname>x</sname><rawtext>\n<![CDATA[\n{\n   x\n   Memcheck:Addr1\n}\n]]>\n</rawtext></suppression></error>\n" +
		"<suppression><sname>x</sname></suppression>\n"
)

func shown(pid int, what string) string {
	return fmt.Sprintf("==%[1]d== %[2]s\n==%[1]d==    at 0x109189: f<int> (a.c:5)\n==%[1]d==    by 0x1091B9: ??? (in /lib/b.so)\n"+
		"==%[1]d==  Address 0x1 is 0 bytes after a block of size 10 alloc'd\n==%[1]d==    at 0x48417B4: malloc (in /m.so)\n==%[1]d== \n{\n   x\n   Memcheck:Addr1\n}\n", pid, what)
}

// suite is what happens while a test file runs, in order.
type suite struct {
	t   *testing.T
	dir string
	log *Log
}

func (s suite) prints(text string) { fmt.Fprint(s.log, text) }

func (s suite) valgrind(pid int, xml string) {
	s.t.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, fmt.Sprintf("%d.xml", pid)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(xml); err != nil {
		s.t.Fatal(err)
	}
}

func (s suite) begins(pid, parent int) { s.valgrind(pid, fmt.Sprintf(head, pid, parent)) }

func TestAFindingStandsBelowTheNameOfItsBlock(t *testing.T) {
	const one, two, three = "t/a.t TEST 1: one\n", "t/a.t TEST 2: two\n", "t/a.t TEST 3: three\n"
	finds := func(what string) string { return fmt.Sprintf(read, what) }
	for _, tt := range []struct {
		name string
		runs func(suite)
		want string
	}{
		{"a server for each block, of which one speaks late", func(s suite) {
			s.prints(one)
			s.begins(10, 2)
			s.prints("ok 1 - t/a.t TEST 1: one - status\n" + two)
			s.begins(20, 2)
			s.valgrind(20, finds("second")+tail)
			s.valgrind(10, finds("first")+tail)
			s.prints("ok 2 - t/a.t TEST 2: two - status\n")
		}, one + shown(10, "first") + "ok 1 - t/a.t TEST 1: one - status\n" + two + shown(20, "second") + "ok 2 - t/a.t TEST 2: two - status\n"},
		{"a server that lives through the blocks, and its workers", func(s suite) {
			s.prints(one)
			s.begins(10, 2)
			s.begins(11, 10)
			s.valgrind(10, finds("start"))
			s.prints("ok 1 - t/a.t TEST 1: one - status\n")
			s.begins(12, 10) // told to reload, and named after that
			s.prints(two)
			s.valgrind(11, finds("worker one, late")+tail)
			s.valgrind(10, finds("reload"))
			s.prints("not ok 2 - t/a.t TEST 2: two - status\n")
			s.prints(three)
			s.begins(13, 10) // named before that
			s.prints("ok 3 - t/a.t TEST 3: three - status\n")
			s.valgrind(12, finds("worker two")+tail)
			s.valgrind(13, finds("worker three")+tail)
			s.valgrind(10, finds("end"))
		}, one + shown(10, "start") + shown(11, "worker one, late") + "ok 1 - t/a.t TEST 1: one - status\n" +
			two + shown(10, "reload") + shown(12, "worker two") + "not ok 2 - t/a.t TEST 2: two - status\n" +
			three + shown(10, "end") + shown(13, "worker three") + "ok 3 - t/a.t TEST 3: three - status\n"},
		{"a server that was killed in the middle of a word", func(s suite) {
			s.prints(one)
			s.begins(10, 2)
			s.valgrind(10, finds("whole")+"<error><what>ha")
			s.prints("the end")
		}, one + shown(10, "whole") + "the end"},
		{"what only begins with a name is none", func(s suite) {
			s.prints(one)
			s.begins(10, 2)
			s.prints("t/a.t TEST 2: two - waiting for nginx\n")
			s.valgrind(10, finds("first"))
		}, one + shown(10, "first") + "t/a.t TEST 2: two - waiting for nginx\n"},
		{"findings without a name come at the end", func(s suite) {
			s.begins(10, 2)
			s.valgrind(10, finds("first"))
			s.prints("no name")
		}, "no name\n" + shown(10, "first")},
		{"more than is read of a process", func(s suite) {
			s.prints(one)
			s.begins(10, 2)
			s.valgrind(10, finds("first")+"<!--"+strings.Repeat(" ", maxFile)+"-->"+finds("second"))
		}, one + shown(10, "first") + fmt.Sprintf("ortest: of the %d bytes that valgrind wrote of process 10 only %d are read\n",
			len(fmt.Sprintf(head, 10, 2)+finds("first")+finds("second"))+7+maxFile, maxFile)},
		{"a test that leaves something else there", func(s suite) {
			s.prints(one)
			if err := os.Symlink("/etc/passwd", filepath.Join(s.dir, "7.xml")); err != nil {
				s.t.Fatal(err)
			}
			s.valgrind(8, "<valgrindoutput><pid>8==\n::set-output</pid><error><what>a\n::error::b</what></error>")
		}, one + "==0== a ::error::b\n==0== \n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := suite{t: t, dir: t.TempDir()}
			s.log = NewLog(s.dir, []string{"TEST 1: one", "TEST 2: two", "TEST 3: three"})
			tt.runs(s)
			var out strings.Builder
			if _, whole, err := s.log.Finish(&out); err != nil || whole == (tt.name == "more than is read of a process") || out.String() != tt.want {
				t.Errorf("%v\n got %s\nwant %s", err, out.String(), tt.want)
			}
		})
	}
}

func TestSuppressionsThatMatchedAreNamed(t *testing.T) {
	s := suite{t: t, dir: t.TempDir()}
	s.log = NewLog(s.dir, nil)
	s.begins(10, 2)
	s.valgrind(10, tail)
	if used, _, err := s.log.Finish(new(strings.Builder)); err != nil || !slices.Equal(used, []string{"mine"}) {
		t.Errorf("%q, %v", used, err)
	}
}

func TestEnvKeepsTheOptionsOfTheProject(t *testing.T) {
	got := Env([]string{"VALGRIND_OPTS=--track-fds=yes", "A=b"}, "/x y")
	want := []string{"A=b", "VALGRIND_OPTS=--track-fds=yes -s --xml=yes --xml-file=%q{ORTEST_VALGRIND}/%p.xml", "ORTEST_VALGRIND=/x y"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
