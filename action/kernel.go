package action

import (
	"bytes"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelLog reads what the kernel said since it was opened: of a server that
// crashed, the test sees no more than a connection that ended.
type kernelLog struct{ fd int }

// Crashes are named in many ways; the old driver looked for the first only.
var reCrash = regexp.MustCompile(`segfault at |general protection|trap divide error|trap invalid opcode|trap stack segment|traps: `)

// openKernelLog returns nil where it may not be read, as for most users.
func openKernelLog() *kernelLog {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return nil
	}
	return &kernelLog{fd}
}

// crashes returns the lines of crashes and closes the log.
func (k *kernelLog) crashes() []string {
	if k == nil {
		return nil
	}
	defer unix.Close(k.fd)
	var lines []string
	buf := make([]byte, 8<<10) // a record is no longer
	for {
		n, err := unix.Read(k.fd, buf)
		switch {
		case err == unix.EPIPE || err == unix.EINTR: // what was not read in time is lost
			continue
		case err != nil || n <= 0:
			return lines
		}
		if text := crashLine(buf[:n]); text != "" {
			lines = append(lines, text)
		}
	}
}

// crashLine returns the text of a record of /dev/kmsg that tells of one.
func crashLine(record []byte) string {
	_, text, _ := bytes.Cut(record, []byte(";"))
	text, _, _ = bytes.Cut(text, []byte("\n"))
	if !reCrash.Match(text) {
		return ""
	}
	return strings.ToValidUTF8(string(text), "?")
}
