package lane

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ShareSize is how much can be written into a folder that is shared, beside the quota.
const ShareSize = 64 << 20

// mountShare makes the folder that the lane's maker can read.
func mountShare(dir string) error {
	if err := os.MkdirAll(newRoot+dir, 0o755); err != nil {
		return err
	}
	return unix.Mount("share", newRoot+dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, fmt.Sprintf("mode=700,size=%d,nr_inodes=20000", ShareSize))
}

// socket is how process 1 reports: unlike a pipe it can hand over a folder, which
// nobody outside could find.
func socket() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "told"), os.NewFile(uintptr(fds[1]), "told"), nil
}

// handOver sends the shared folder to the lane's maker, and waits until it has it.
func handOver(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("share %s: %w", dir, err)
	}
	defer unix.Close(fd)
	if err := unix.Sendmsg(fdTold, []byte("\n"), unix.UnixRights(fd), nil, 0); err != nil {
		return fmt.Errorf("share %s: %w", dir, err)
	}
	if n, err := unix.Read(fdTold, make([]byte, 1)); n != 1 {
		return errors.Join(fmt.Errorf("share %s: nobody takes it", dir), err)
	}
	return nil
}

// hear takes the shared folder, and then what process 1 reports.
func (p *process) hear(l Lane, told *report) error {
	if l.Share == "" {
		return json.NewDecoder(p.told).Decode(told)
	}
	first, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, size, _, _, err := unix.Recvmsg(int(p.told.Fd()), first, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	if size > 0 {
		fd, err := descriptor(rights[:size])
		if err != nil {
			return err
		}
		l.Shared(os.NewFile(uintptr(fd), l.Share))
		if _, err := p.told.Write([]byte("\n")); err != nil {
			return err
		}
	}
	// Without a folder it is the begin of the report, which says why.
	return json.NewDecoder(io.MultiReader(bytes.NewReader(first[:n]), p.told)).Decode(told)
}

// descriptor returns the one that came with a message.
func descriptor(rights []byte) (int, error) {
	all, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(all) == 0 {
		return 0, cmp.Or(err, errors.New("a message without a descriptor"))
	}
	fds, err := unix.ParseUnixRights(&all[0])
	if err != nil || len(fds) == 0 {
		return 0, cmp.Or(err, errors.New("a message without a descriptor"))
	}
	return fds[0], nil
}
