// Package lane gives one command a small machine of its own: network, mounts,
// processes and services that nobody else sees and that end with it.
//
// The command sees every file of this machine and changes none: each file
// system is shown through an overlay whose upper layer is memory of the lane.
// Its network is a loopback of its own, so that a hundred commands may listen
// on one port. Nothing it starts lives longer than process 1 of its process
// namespace, which is this program again (Main), and that ends with its parent.
//
// A lane is made for one command and is not used again: what a test file
// leaves in a service or in a folder cannot be seen by the next.
package lane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Word is the argument that makes this program process 1 of a lane. Whoever
// calls Run has to call Main when its first argument is Word.
const Word = "lane"

// Lane says what a command finds in its lane.
type Lane struct {
	Keep     []string   `json:"keep,omitempty"`     // absolute folders that must be seen also below /tmp; each can be written, and changes are lost
	Dirs     []string   `json:"dirs,omitempty"`     // absolute folders that are there and empty
	Share    string     `json:"share,omitempty"`    // absolute folder of at most ShareSize bytes, of memory; Shared can read it also after the end
	Quota    int64      `json:"quota,omitempty"`    // bytes that may be written to files; 0: half of the machine's memory
	Setup    [][]string `json:"setup,omitempty"`    // commands that change the lane's network, such as ip and nft; run first, with the rights that this needs
	Services []Service  `json:"services,omitempty"` // started in this order, before the command
	Begun    func(int)  `json:"-"`                  // is told process 1's number on the machine; nil is not

	Shared func(*os.File) `json:"-"` // is given Share before anything runs, and closes it; required with it
}

// Service is a server that runs beside the command.
type Service struct {
	Name  string            `json:"name"`
	Start []string          `json:"start"`           // stays in the foreground or leaves a daemon
	Check []string          `json:"check,omitempty"` // succeeds once the service serves; none: Port is asked
	Port  int               `json:"port,omitempty"`  // on 127.0.0.1; 0 and no Check: it serves at once
	Dir   string            `json:"dir,omitempty"`   // made for it; "" is /tmp
	Env   map[string]string `json:"env,omitempty"`   // in place of the command's, and beside them
}

// Command is what runs in a lane. Argv[0] is a path.
type Command struct {
	Argv   []string      `json:"argv"`
	Dir    string        `json:"dir"`
	Env    []string      `json:"env"`
	Limit  time.Duration `json:"limit"`
	Cores  bool          `json:"cores,omitempty"` // what dies leaves a core, of which Gdb prints the stack at the end
	Gdb    string        `json:"gdb,omitempty"`   // a path; "" prints who died
	Output int64         `json:"-"`               // bytes of output, after which it is ended
}

// Outcome is how a command ended.
type Outcome struct {
	Exit     int           `json:"exit"`             // -1 when a signal ended it
	Signal   string        `json:"signal,omitempty"` // such as SIGKILL
	TimedOut bool          `json:"timed_out,omitempty"`
	TooMuch  bool          `json:"-"` // it printed more than Output
	Lost     bool          `json:"-"` // the lane was killed from outside, and all in it
	Wall     time.Duration `json:"wall"`
	CPU      time.Duration `json:"cpu"`            // of everything that ran in the lane but services
	Full     bool          `json:"full,omitempty"` // all was used that could be written
	Left     []string      `json:"left,omitempty"` // names of processes that ran at its end
}

// closing is how long process 1 has to end everything and to report, before it
// is killed and everything with it.
const closing = 10 * time.Second

// report is what process 1 tells at the end.
type report struct {
	Outcome Outcome `json:"outcome"`
	Failed  string  `json:"failed,omitempty"` // why the command was not run
}

// Run runs a command in a lane of its own, its output and errors in one stream
// to out. An error means that the lane could not be made or a service did not
// start; the command's own failure is in the outcome.
func (l Lane) Run(ctx context.Context, c Command, out io.Writer) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	begun := time.Now()
	p, err := start(l, c)
	if err != nil {
		return Outcome{}, fmt.Errorf("make lane: %w", err)
	}
	defer p.close()
	if l.Begun != nil {
		l.Begun(p.cmd.Process.Pid)
	}
	sink := &Capped{W: out, Left: c.Output, Full: p.hangUp}
	var work sync.WaitGroup
	work.Go(func() { sink.Copy(p.output) })
	var told report
	var broken error
	work.Go(func() { broken = p.hear(l, &told) })
	stop := context.AfterFunc(ctx, p.hangUp)
	err = p.cmd.Wait()
	stop()
	work.Wait()
	switch {
	case ctx.Err() != nil:
		return Outcome{}, ctx.Err()
	case sink.Err != nil:
		return Outcome{}, sink.Err
	case told.Failed != "":
		return Outcome{}, errors.New(told.Failed)
	case broken != nil && sink.Left >= 0 && killed(p.cmd.ProcessState):
		return Outcome{Exit: -1, Signal: "SIGKILL", Lost: true, Wall: time.Since(begun)}, nil
	case broken != nil && sink.Left >= 0:
		return Outcome{}, fmt.Errorf("lane was lost: %w", errors.Join(err, broken))
	}
	if o := &told.Outcome; sink.Left < 0 {
		// With its output cut, nothing says how it ended.
		o.TooMuch, o.Exit, o.Signal = true, -1, "SIGKILL"
	}
	return told.Outcome, nil
}

// killed tells whether a process was killed, as by a kernel that is short of memory.
// Nobody in a lane can do that to process 1.
func killed(p *os.ProcessState) bool {
	status, ok := p.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Available tells why this machine has no lanes, or nil.
func Available(ctx context.Context) error {
	o, err := Lane{}.Run(ctx, Command{Argv: []string{"/bin/true"}, Dir: "/", Limit: time.Minute, Output: 1 << 20}, io.Discard)
	if err == nil && o.Exit != 0 {
		err = fmt.Errorf("/bin/true exited with %d", o.Exit)
	}
	return err
}

// process is a lane as its maker sees it.
type process struct {
	cmd    *exec.Cmd
	orders *os.File // open for as long as the lane is wanted
	output *os.File
	told   *os.File
	once   sync.Once
	killer *time.Timer
}

func start(l Lane, c Command) (*process, error) {
	p := &process{}
	var theirs []*os.File
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err == nil {
			theirs = append(theirs, r, w)
		}
		return r, w, err
	}
	ordersR, ordersW, err1 := pipe()
	outR, outW, err2 := pipe()
	toldR, toldW, err3 := socket()
	if err := errors.Join(err1, err2, err3); err != nil {
		closeAll(theirs)
		return nil, err
	}
	p.orders, p.output, p.told = ordersW, outR, toldR
	p.cmd = exec.Command("/proc/self/exe", Word)
	p.cmd.Env = []string{"GOMAXPROCS=1", "GOGC=off"} // it is small and ends soon
	p.cmd.Dir = "/"
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = ordersR, outW, outW
	p.cmd.ExtraFiles = []*os.File{toldW}
	p.cmd.SysProcAttr = attributes(os.Getuid(), os.Getgid())
	err := p.cmd.Start()
	closeAll([]*os.File{ordersR, outW, toldW})
	if err != nil {
		closeAll([]*os.File{ordersW, outR, toldR})
		return nil, err
	}
	go func() { _ = send(ordersW, l, c) }() // its end is seen in what is told
	return p, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// hangUp asks the lane to end, and makes it end when it does not.
func (p *process) hangUp() {
	p.once.Do(func() {
		p.orders.Close()
		p.killer = time.AfterFunc(closing, func() { _ = p.cmd.Process.Kill() })
	})
}

func (p *process) close() {
	p.hangUp()
	p.killer.Stop()
	closeAll([]*os.File{p.output, p.told})
}

// attributes ask for the namespaces. An ordinary user needs one of users
// too, in which it stays who it is, and may set up the rest.
func attributes(uid, gid int) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Setpgid:    true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
	}
	if uid != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		a.AmbientCaps = setupCaps
	}
	return a
}

// Capped passes on so many bytes and drops the rest. W, Left and Full are required.
type Capped struct {
	W    io.Writer
	Left int64  // that may still be passed on; -1 when there was more
	Full func() // is called once, when there was more or W failed
	Err  error  // of W

	once sync.Once
}

// Copy reads to the end of r, whatever may be passed on of it.
func (c *Capped) Copy(r io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		c.write(buf[:n])
		if err != nil {
			return
		}
	}
}

func (c *Capped) write(b []byte) {
	if c.Left < 0 || c.Err != nil {
		return
	}
	over := int64(len(b)) > c.Left
	if over {
		b = b[:c.Left]
	}
	if _, err := c.W.Write(b); err != nil {
		c.Err = fmt.Errorf("write log: %w", err)
	}
	c.Left -= int64(len(b))
	if over {
		c.Left = -1
	}
	if over || c.Err != nil {
		c.once.Do(c.Full)
	}
}
