package lane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	scratch = "/tmp"             // where the lane's memory is mounted until it is entered
	newRoot = scratch + "/root/" // the lane's root while it is built
)

// builder makes the lane's file systems.
type builder struct {
	quota  string
	layers int
	points []string // of this machine's mounts, parents first
}

// mounts builds the lane's view of the machine and enters it.
func mounts(l Lane) error {
	b := &builder{quota: "50%"}
	if l.Quota > 0 {
		b.quota = fmt.Sprint(l.Quota)
	}
	// Nothing that is mounted here is seen outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	var err error
	if b.points, err = mountPoints(); err != nil {
		return err
	}
	keep, err := openAll(l.Keep)
	if err != nil {
		return err
	}
	top, err := topLevel()
	if err != nil {
		return err
	}
	if err := b.memory(); err != nil {
		return err
	}
	if err := b.machine(top); err != nil {
		return err
	}
	for i, dir := range l.Keep {
		if err := b.overlay(keep[i], dir); err != nil {
			return fmt.Errorf("keep %s: %w", dir, err)
		}
		unix.Close(keep[i])
	}
	for _, dir := range l.Dirs {
		if err := b.empty(dir); err != nil {
			return fmt.Errorf("make %s: %w", dir, err)
		}
	}
	if l.Share != "" {
		if err := mountShare(l.Share); err != nil {
			return fmt.Errorf("share %s: %w", l.Share, err)
		}
	}
	return b.pivot()
}

// entry is what stands at the top of the machine's file tree.
type entry struct {
	name string
	link string // of a symbolic link: where it points
	fd   int    // of a directory
}

// topLevel opens the machine's directories before anything is mounted over one.
func topLevel() ([]entry, error) {
	list, err := os.ReadDir("/")
	if err != nil {
		return nil, err
	}
	var top []entry
	for _, d := range list {
		e := entry{name: d.Name()}
		switch {
		case d.Type()&os.ModeSymlink != 0:
			e.link, err = os.Readlink("/" + d.Name())
		case d.IsDir():
			e.fd, err = unix.Open("/"+d.Name(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open /%s: %w", d.Name(), err)
		}
		top = append(top, e)
	}
	return top, nil
}

func openAll(dirs []string) ([]int, error) {
	var fds []int
	for _, dir := range dirs {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("keep %s: %w", dir, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// memory mounts what takes all that is written in the lane.
func (b *builder) memory() error {
	if err := unix.Mount("lane", scratch, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size="+b.quota); err != nil {
		return fmt.Errorf("mount memory: %w", err)
	}
	if err := os.Mkdir(newRoot, 0o755); err != nil {
		return err
	}
	// A mount of its own can become the root.
	return unix.Mount(newRoot, newRoot, "", unix.MS_BIND, "")
}

// fresh are the folders of which each lane has an empty one.
var fresh = []string{"/tmp", "/var/tmp", "/dev/shm"}

// machine shows everything the machine has.
func (b *builder) machine(top []entry) error {
	for _, e := range top {
		at := "/" + e.name
		var err error
		switch {
		case e.link != "":
			err = os.Symlink(e.link, newRoot+at)
		case e.name == "proc":
			if err = os.Mkdir(newRoot+at, 0o755); err == nil {
				err = unix.Mount("proc", newRoot+at, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
			}
		case e.name == "dev" || e.name == "sys":
			err = b.bind(e.fd, at)
		case e.name == "tmp":
			err = os.Mkdir(newRoot+at, 0o755)
		default:
			err = b.tree(e.fd, at)
		}
		if e.link == "" {
			unix.Close(e.fd)
		}
		if err != nil {
			return fmt.Errorf("show %s: %w", at, err)
		}
	}
	for _, dir := range fresh {
		err := b.own(dir)
		if err != nil {
			return fmt.Errorf("make %s: %w", dir, err)
		}
	}
	return nil
}

// own mounts an empty folder where the machine has one.
func (b *builder) own(dir string) error {
	if _, err := os.Stat(newRoot + dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	from, err := b.layer()
	if err != nil {
		return err
	}
	if err := os.Chmod(from, 0o777|os.ModeSticky); err != nil {
		return err
	}
	return unix.Mount(from, newRoot+dir, "", unix.MS_BIND, "")
}

// empty mounts an empty folder, also where there is none. In a folder of the machine's
// an ordinary user could not write if one above it is of an unknown group.
func (b *builder) empty(dir string) error {
	if err := os.MkdirAll(newRoot+dir, 0o755); err != nil {
		return err
	}
	from, err := b.layer()
	if err != nil {
		return err
	}
	return unix.Mount(from, newRoot+dir, "", unix.MS_BIND, "")
}

// tree shows a folder and what is mounted below it.
func (b *builder) tree(fd int, at string) error {
	if err := b.overlay(fd, at); err != nil {
		// A folder with mounts that were made by somebody mightier cannot be
		// split from them: it is shown as it is, and cannot be written.
		return b.bindReadOnly(fd, at)
	}
	for _, p := range b.points {
		if !strings.HasPrefix(p, at+"/") {
			continue
		}
		if err := b.below(p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// below shows what is mounted at a point, unless its mount is hidden.
func (b *builder) below(point string) error {
	fd, err := unix.Open(point, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil //nolint:nilerr // what we may not see is not shown
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR && b.overlay(fd, point) == nil {
		return nil
	}
	if _, err := os.Lstat(newRoot + point); err != nil {
		return nil //nolint:nilerr // it was mounted over, or its parent was bound with it
	}
	return b.bindReadOnly(fd, point)
}

// overlay shows a folder with a layer of the lane's own above it. Folders are
// named by descriptors: in mount options commas and colons mean something.
func (b *builder) overlay(fd int, at string) error {
	upper, err := b.layer()
	if err != nil {
		return err
	}
	work, err := b.layer()
	if err != nil {
		return err
	}
	if err := copyMode(fd, upper); err != nil {
		return err
	}
	if err := os.MkdirAll(newRoot+at, 0o755); err != nil {
		return err
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", viaFD(fd), upper, work)
	if os.Getuid() != 0 {
		options += ",userxattr"
	}
	return unix.Mount("lane", newRoot+at, "overlay", 0, options)
}

// copyMode gives the top of a layer the owner and mode of what it covers.
func copyMode(fd int, upper string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		if err := os.Chown(upper, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return unix.Chmod(upper, st.Mode&0o7777)
}

func viaFD(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// layer makes a folder in the lane's memory.
func (b *builder) layer() (string, error) {
	b.layers++
	dir := fmt.Sprintf("%s/%d", scratch, b.layers)
	return dir, os.Mkdir(dir, 0o755)
}

func (b *builder) bind(fd int, at string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := os.MkdirAll(newRoot+at, 0o755); err != nil {
			return err
		}
	}
	return unix.Mount(viaFD(fd), newRoot+at, "", unix.MS_BIND|unix.MS_REC, "")
}

func (b *builder) bindReadOnly(fd int, at string) error {
	if err := b.bind(fd, at); err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	return unix.MountSetattr(unix.AT_FDCWD, newRoot+at, unix.AT_RECURSIVE, &attr)
}

// pivot makes what was built the root, and lets go of the machine's.
func (b *builder) pivot() error {
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the machine's root: %w", err)
	}
	return os.Chdir("/")
}

// mountPoints lists where this machine has something mounted, parents first.
func mountPoints() ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 {
			points = append(points, filepath.Clean(unescape.Replace(f[4])))
		}
	}
	slices.Sort(points)
	return slices.Compact(points), nil
}
