package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ortest/ortest/action/lane"
	"github.com/ortest/ortest/plan/recipe"
)

// serverDirs are where servers lie that no search path has.
var serverDirs = []string{"/usr/lib/postgresql/*/bin", "/usr/libexec"}

// notOfServices is what a mode loads into the suite's own programs: a server that
// reads byte by byte is too slow to be tested against.
var notOfServices = map[string]string{"LD_PRELOAD": "", "LD_LIBRARY_PATH": "", "MOCKEAGAIN": ""}

// nobody is who runs a server that refuses to be root's.
const nobody = 65534

// serve makes the data of the services and says how each test file's lane
// starts them. Without lanes they are started now, on ports of their own, and
// run until the piece ends.
func (r *run) serve(ctx context.Context) error {
	for _, s := range r.cfg.Project.Recipe.Services {
		if err := r.service(ctx, s); err != nil {
			var stop *stopped
			if errors.As(err, &stop) || ctx.Err() != nil {
				return err
			}
			return &stopped{PhasePrepare, fmt.Sprintf("service %s: %v", s.Name, err)}
		}
	}
	if len(r.cfg.Project.Recipe.Services) > 0 {
		r.environs()
	}
	return nil
}

func (r *run) service(ctx context.Context, s recipe.Service) error {
	data, err := r.serviceData(ctx, s)
	if err != nil {
		return err
	}
	port := s.Port
	if !r.cfg.Lanes && port != 0 {
		if port, err = freePort(s); err != nil {
			return err
		}
		if data, err = r.ownData(s, data); err != nil {
			return err
		}
	}
	vars := r.serviceVars(data, port)
	if port != s.Port || port == 0 {
		// The usual port is left to the suites: one of them has two.
		for name, value := range s.Env {
			r.serviceEnv[name] = os.Expand(value, func(n string) string { return vars[n] })
		}
	}
	one := lane.Service{Name: s.Name, Start: r.serviceArgv(s, s.Start, vars), Port: port, Dir: data, Env: notOfServices}
	if len(s.Check) > 0 {
		one.Check, one.Port = r.serviceArgv(s, s.Check, vars), 0
	}
	if r.cfg.Lanes {
		r.services = append(r.services, one)
		return nil
	}
	return r.startHere(ctx, one)
}

// serviceVars are the variables of a service's commands.
func (r *run) serviceVars(data string, port int) map[string]string {
	name := "root"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	vars := maps.Clone(r.vars)
	maps.Copy(vars, map[string]string{"$": "$", "DATA": data, "PORT": strconv.Itoa(port), "USER": name, "ORTEST_PROJECT": r.src, "ORTEST_WORK": r.cfg.Workspace})
	return vars
}

// serviceArgv expands a command and finds its program.
func (r *run) serviceArgv(s recipe.Service, args []string, vars map[string]string) []string {
	argv := make([]string, len(args))
	for i, a := range args {
		argv[i] = os.Expand(a, func(n string) string { return vars[n] })
	}
	argv[0] = r.server(argv[0])
	if s.Unprivileged && os.Geteuid() == 0 {
		argv = append([]string{r.server("setpriv"), "--reuid=" + strconv.Itoa(nobody), "--regid=" + strconv.Itoa(nobody), "--clear-groups"}, argv...)
	}
	return argv
}

// withoutMode is the environment of a service that runs outside of a lane.
func withoutMode(env []string) []string {
	env = slices.Clone(env)
	for name, value := range notOfServices {
		env = append(env, name+"="+value) // the last one counts
	}
	return env
}

// server finds a program also where only servers are.
func (r *run) server(name string) string {
	if path := r.program(name); path != "" {
		return path
	}
	for _, dir := range serverDirs {
		if found, _ := filepath.Glob(filepath.Join(dir, name)); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return name
}

// serviceData makes a service's data once on a machine. In a lane what is
// written there is lost, so that each test file finds it new.
func (r *run) serviceData(ctx context.Context, s recipe.Service) (string, error) {
	key := keyOf(s.Name, s.Init, os.Geteuid())
	return r.store().Make(ctx, "services", key, time.Time{}, func(out string) error {
		vars := r.serviceVars(out, s.Port)
		if s.Unprivileged && os.Geteuid() == 0 {
			if err := os.Chown(out, nobody, nobody); err != nil {
				return err
			}
		}
		env := withoutMode(r.env)
		for _, args := range s.Init {
			if err := r.build(ctx, out, env, r.serviceArgv(s, args, vars)...); err != nil {
				return err
			}
		}
		return nil
	})
}

// ownData copies the data for a service that runs outside of a lane.
func (r *run) ownData(s recipe.Service, data string) (string, error) {
	own := filepath.Join(r.tmp, "services", s.Name)
	if err := os.CopyFS(own, os.DirFS(data)); err != nil {
		return "", err
	}
	if !s.Unprivileged || os.Geteuid() != 0 {
		return own, nil
	}
	return own, filepath.WalkDir(own, func(path string, _ os.DirEntry, err error) error {
		return cmp.Or(err, os.Lchown(path, nobody, nobody))
	})
}

// freePort is the usual port of a service, or any where that is taken and the
// suite can be told.
func freePort(s recipe.Service) (int, error) {
	for _, port := range []int{s.Port, 0} {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return l.Addr().(*net.TCPAddr).Port, l.Close()
		}
		if len(s.Env) == 0 {
			return 0, fmt.Errorf("port %d of 127.0.0.1 is taken, and the suite knows no other: %w", s.Port, err)
		}
	}
	return 0, errors.New("no port of 127.0.0.1 is free")
}

// serveTime is how long a service may take until it serves.
const serveTime = 30 * time.Second

// startHere starts a service beside this program; close ends it.
func (r *run) startHere(ctx context.Context, s lane.Service) error {
	cmd := exec.Command(s.Start[0], s.Start[1:]...)
	cmd.Dir, cmd.Env = s.Dir, withoutMode(r.env)
	log, err := os.Create(filepath.Join(r.tmp, s.Name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.procs.spare(cmd.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.stop = append(r.stop, func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	for until := time.Now().Add(serveTime); ; {
		if r.serves(ctx, s) {
			return nil
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case err := <-ended:
			ended <- err
			if len(s.Check) > 0 || time.Now().After(until) || err != nil {
				return fmt.Errorf("it ended: %w: %s", cmp.Or(err, errors.New("exit status 0")), lastLines(log.Name()))
			}
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if time.Now().After(until) {
			return fmt.Errorf("it does not serve within %s: %s", serveTime, lastLines(log.Name()))
		}
	}
}

func (r *run) serves(ctx context.Context, s lane.Service) bool {
	if len(s.Check) > 0 {
		cmd := exec.CommandContext(ctx, s.Check[0], s.Check[1:]...)
		cmd.Env = withoutMode(r.env)
		return cmd.Run() == nil
	}
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)), time.Second)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// lastLines is the end of a file, for a reason.
func lastLines(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// withServices adds how the tests find the services.
func (r *run) withServices(goal map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(r.serviceEnv)) {
		goal[name] = r.serviceEnv[name]
	}
}
