package crash

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	ntStatus = 1          // the note of how a thread stood; the first is that of who died
	atSignal = 12         // where in it the signal is, after the three numbers of its origin
	ntAuxv   = 6          // the note of what the kernel told the program
	ntFile   = 0x46494c45 // the note that names the mapped files
	atExecfn = 31
	maxNote  = 4 << 20
	maxPath  = 4 << 10

	unknown = "a process"
)

// program returns the path of what died: as it was started, or when that was a
// script the first file that was mapped, since libraries lie above it. In a view
// of the machine such as a lane's the kernel has other names for what it mapped.
// "a process" when the core does not say.
func program(core, dir string) string {
	f, err := elf.Open(core)
	if err != nil {
		return unknown
	}
	defer f.Close()
	word := 8
	if f.Class == elf.ELFCLASS32 {
		word = 4
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(p.Open(), maxNote))
		if err != nil {
			return unknown
		}
		started := startedAs(f, note(b, ntAuxv, f.ByteOrder), word)
		if started != "" && !filepath.IsAbs(started) {
			started = filepath.Join(dir, started)
		}
		for _, path := range []string{started, firstFile(note(b, ntFile, f.ByteOrder), word, f.ByteOrder)} {
			if binary, err := elf.Open(path); err == nil {
				binary.Close()
				return path
			}
		}
	}
	return unknown
}

// signalOf returns the signal that made a core, 0 when the core does not say.
func signalOf(core string) unix.Signal {
	f, err := elf.Open(core)
	if err != nil {
		return 0
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(p.Open(), maxNote))
		if err != nil {
			return 0
		}
		if status := note(b, ntStatus, f.ByteOrder); len(status) >= atSignal+2 {
			return unix.Signal(f.ByteOrder.Uint16(status[atSignal:]))
		}
	}
	return 0
}

// note returns the body of the first note of a kind.
func note(b []byte, kind uint32, order binary.ByteOrder) []byte {
	for len(b) >= 12 {
		name, body := uint64(order.Uint32(b)), uint64(order.Uint32(b[4:]))
		from := 12 + (name+3)&^3
		if from+body > uint64(len(b)) {
			return nil
		}
		if order.Uint32(b[8:]) == kind {
			return b[from : from+body]
		}
		b = b[min(from+(body+3)&^3, uint64(len(b))):]
	}
	return nil
}

// startedAs reads the name that was given to the kernel to start the program:
// pairs of words, of which one points to it.
func startedAs(f *elf.File, auxv []byte, word int) string {
	for ; len(auxv) >= 2*word; auxv = auxv[2*word:] {
		if number(auxv, word, f.ByteOrder) != atExecfn {
			continue
		}
		at := number(auxv[word:], word, f.ByteOrder)
		for _, p := range f.Progs {
			if p.Type != elf.PT_LOAD || at < p.Vaddr || at >= p.Vaddr+p.Filesz {
				continue
			}
			b := make([]byte, min(maxPath, p.Vaddr+p.Filesz-at))
			if _, err := p.ReadAt(b, int64(at-p.Vaddr)); err != nil {
				return ""
			}
			name, _, _ := bytes.Cut(b, []byte{0})
			return string(name)
		}
	}
	return ""
}

func number(b []byte, word int, order binary.ByteOrder) uint64 {
	if word == 4 {
		return uint64(order.Uint32(b))
	}
	return order.Uint64(b)
}

// firstFile reads a count, the size of a page, three words for each file, and
// then their names.
func firstFile(b []byte, word int, order binary.ByteOrder) string {
	if len(b) < 2*word {
		return ""
	}
	n := number(b, word, order)
	if n == 0 || n > uint64(len(b)) || uint64(word)*(2+3*n) > uint64(len(b)) {
		return ""
	}
	name, _, _ := bytes.Cut(b[uint64(word)*(2+3*n):], []byte{0})
	return string(name)
}
