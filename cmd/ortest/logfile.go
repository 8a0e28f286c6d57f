package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// eachLog opens the logs that arguments name, one after another, and hands each
// to read: a plain file, one that gzip packed, each file of a tar archive, or
// with "-" the standard input. What a file is its first bytes tell, not its name. One that
// cannot be read does not keep the others from it; the errors are joined.
func eachLog(cmd *cobra.Command, args []string, read func(name string, r io.Reader) error) error {
	return interruptible(cmd.Context(), func() error {
		var bad []error
		for _, arg := range args {
			if err := oneLog(cmd, arg, read); err != nil {
				bad = append(bad, err)
			}
			if cmd.Context().Err() != nil {
				break
			}
		}
		return errors.Join(bad...)
	})
}

func oneLog(cmd *cobra.Command, arg string, read func(string, io.Reader) error) error {
	if arg == "-" {
		return unpackLog("-", cmd.InOrStdin(), read)
	}
	f, err := os.Open(arg)
	if err != nil {
		return usage(fmt.Errorf("%w; give the path of a log that you may read, or -", err))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return usage(fmt.Errorf("%s is a directory; name the logs in it", arg))
	}
	return unpackLog(arg, f, read)
}

// sniffed is how much of a file is looked at to tell what it is: the magic
// number of tar ends at byte 262.
const sniffed = 512

func unpackLog(name string, in io.Reader, read func(string, io.Reader) error) error {
	// The reader of a plain log brings its own, larger buffer, and bufio steps aside for it.
	r := bufio.NewReaderSize(in, sniffed)
	head, err := r.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", name, err)
	}
	zipped := bytes.Equal(head, []byte("\x1f\x8b"))
	switch {
	case !zipped && strings.HasSuffix(name, ".gz") && len(head) > 0:
		return fmt.Errorf("%s is not what gzip packs; if it is a plain log, take .gz off its name", name)
	case zipped:
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("unpack %s: %w; fetch the log again", name, err)
		}
		r = bufio.NewReaderSize(z, sniffed)
	}
	if head, err := r.Peek(sniffed); err == nil && bytes.HasPrefix(head[257:], []byte("ustar")) {
		return untarLogs(name, r, read)
	}
	if err := read(name, r); err != nil {
		return damaged(name, err)
	}
	return nil
}

// untarLogs reads each file of an archive.
func untarLogs(name string, r io.Reader, read func(string, io.Reader) error) error {
	t := tar.NewReader(r)
	n := 0
	for {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return fmt.Errorf("%s holds no file", name)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			// For whoever reads that is a log of which nothing is left.
			if err := read(name, unreadable{err}); err != nil {
				return damaged(name, err)
			}
			return nil
		case h.Typeflag != tar.TypeReg:
			continue
		}
		n++
		if err := unpackLog(name+":"+h.Name, t, read); err != nil {
			return err
		}
	}
}

// unreadable is a log that ends before it begins.
type unreadable struct{ err error }

func (u unreadable) Read([]byte) (int, error) { return 0, u.err }

// damaged says of a packed log that ends too early what that means.
func damaged(name string, err error) error {
	var bits flate.CorruptInputError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &bits) {
		return fmt.Errorf("%s is cut or damaged: %w; fetch the log again", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
