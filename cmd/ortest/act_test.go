package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/runnerfleet/process"
	"github.com/ortest/ortest/workflows"
)

// scriptEnv says what goes wrong in jobs of the scripted act, as one of these.
const scriptEnv = "ORTEST_TEST_ACT"

const (
	scriptHang   = "hang"   // the first attempt stops after its first file and waits for its death
	scriptKill   = "kill"   // every attempt kills its agent with -9
	scriptNoEnd  = "no end" // every attempt goes without its last word
	scriptCutLog = "cut"    // the last file's log lacks its end
	scriptNews   = "news"   // the first file fails, but in a repeat's pieces with even numbers
)

// scriptFiles are the test files of a scripted job.
var scriptFiles = []string{"t/001-greet.t", "t/002-native.t"}

// scriptedAct is an act that runs no workflow: it reports for the one piece of
// its event what the script says, over the same spool as the action.
func scriptedAct() int {
	if err := scriptedJob(os.Getenv(scriptEnv)); err != nil {
		fmt.Println("scripted act:", err)
		return 1
	}
	return 0
}

func scriptedJob(script string) error {
	piece, err := scriptedPiece()
	if err != nil {
		return err
	}
	if script == scriptKill {
		return killAgent()
	}
	files := scriptFiles
	if piece.Files != nil {
		files = piece.Files
	}
	s := &scriptSpool{dir: os.Getenv("ORTEST_SPOOL")}
	m := &report.Manifest{Goal: piece.Goal, Repo: piece.Repo, Commit: piece.Commit, Arch: piece.Options.Arch}
	for _, f := range files {
		m.Files = append(m.Files, report.TestFile{Path: f})
	}
	s.put(report.Entry{Manifest: m}, "making "+piece.Goal+" ...\n")
	for i, f := range files {
		log := f + " .. \n1..2\nok 1 - it is\nok 2 - it does\nok\nAll tests successful.\n" +
			"Files=1, Tests=2,  0 wallclock secs ( 0.01 usr +  0.02 sys =  0.03 CPU)\nResult: PASS\n"
		if script == scriptCutLog && i == len(files)-1 {
			log, _, _ = strings.Cut(log, "ok 2")
		}
		exit := 0
		if script == scriptNews && i == 0 && !evenPiece(piece.ID) {
			log, exit = strings.Replace(log, "ok 2", "not ok 2", 1), 1
		}
		s.put(report.Entry{File: &report.FileResult{Path: f, Seconds: 0.1, Exit: exit}}, log)
		if script == scriptHang && strings.HasSuffix(piece.ID, "/1") {
			end := make(chan os.Signal, 1)
			signal.Notify(end, syscall.SIGTERM)
			<-end
			return errors.New("told to stop")
		}
	}
	if script != scriptNoEnd {
		s.put(report.Entry{End: new(report.End)}, "")
	}
	return s.err
}

// evenPiece reports whether a piece is one such as p2, of the run's p1, p2, ….
func evenPiece(id string) bool {
	parts := strings.Split(id, "/")
	n, err := strconv.Atoi(strings.TrimPrefix(parts[1], "p"))
	return err == nil && n%2 == 0
}

func scriptedPiece() (workflows.Piece, error) {
	at := slices.Index(os.Args, "--eventpath")
	raw, err := os.ReadFile(os.Args[at+1])
	if err != nil {
		return workflows.Piece{}, err
	}
	var event struct {
		Inputs struct {
			Pieces string `json:"pieces"`
		} `json:"inputs"`
	}
	var pieces []workflows.Piece
	if err := errors.Join(json.Unmarshal(raw, &event), json.Unmarshal([]byte(event.Inputs.Pieces), &pieces)); err != nil {
		return workflows.Piece{}, err
	}
	return pieces[0], nil
}

// scriptSpool leaves entries as the action does; the first error stays.
type scriptSpool struct {
	dir string
	seq int
	err error
}

func (s *scriptSpool) put(e report.Entry, log string) {
	e.Seq, e.Bytes = s.seq, int64(len(log))
	raw, err := json.Marshal(e)
	name := filepath.Join(s.dir, fmt.Sprintf("%06d", s.seq))
	s.err = errors.Join(s.err, err,
		os.WriteFile(name+".log", []byte(log), 0o600),
		os.WriteFile(name+".tmp", raw, 0o600),
		os.Rename(name+".tmp", name+".json"))
	s.seq++
}

// killAgent kills the agent above this job, whose directory holds the spool.
func killAgent() error {
	work := filepath.Dir(filepath.Dir(filepath.Dir(os.Getenv("ORTEST_SPOOL"))))
	agent, err := agentOf(filepath.Dir(work))
	if err != nil {
		return err
	}
	return agent.Signal(syscall.SIGKILL)
}

// agentOf returns the agent of a local machine by the machine's directory.
func agentOf(machine string) (process.Process, error) {
	var p process.Process
	raw, err := os.ReadFile(filepath.Join(machine, "process.json"))
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(raw, &p)
}
