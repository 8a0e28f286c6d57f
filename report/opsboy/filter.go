package opsboy

import "bytes"

// lines takes lines that end in b; the last may lack its newline.
func (p *Parser) lines(b []byte) {
	p.phrases = appendPhrases(p.phrases[:0], b)
	ahead := p.phrases
	for start := 0; start < len(b); {
		end := len(b)
		if n := bytes.IndexByte(b[start:], '\n'); n >= 0 {
			end = start + n + 1
		}
		p.line++
		line := b[start:end]
		if len(ahead) > 0 && ahead[0] < end || p.awaits(line) || opens(line) {
			p.take(line)
		} else {
			p.open.inTest = false
		}
		for len(ahead) > 0 && ahead[0] < end {
			ahead = ahead[1:]
		}
		start = end
	}
}

// awaits tells whether a line may matter because of what came before: inside a
// report of valgrind, while LuaJIT is made, between a goal's commit and its
// date, and as long as the log has no date of its own.
func (p *Parser) awaits(line []byte) bool {
	return p.open.inValgrind || p.versions.makingLuajit ||
		p.rec != nil && p.rec.Commit != nil && !p.rec.Date.isKnown() ||
		p.date == nil && '0' <= line[0] && line[0] <= '9'
}

// openings are the beginnings of the lines that matter, by their first byte.
var openings = func() (table [256][]string) {
	for _, s := range []string{
		"#", "==", "ARCH Linux ", "All tests successful", "Bailout called.", "DATE ", "Files=",
		"Linux ", "Segmentation Fault: ", "TEST ", "built with OpenSSL ", "commit ", "./configure: error: ",
		"/home/", "making ", "nginx: [", "nginx version: ", "sh: -c: line ", "t/",
	} {
		table[s[0]] = append(table[s[0]], s)
	}
	return table
}()

// opens tells whether a line starts like one that may matter.
func opens(line []byte) bool {
	for _, s := range openings[line[0]] {
		if len(line) >= len(s) && string(line[:len(s)]) == s {
			return true
		}
	}
	_, ok := headerOfFile(line)
	return ok
}
