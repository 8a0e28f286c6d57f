package ec2

import "regexp"

// secrets is what is not shown of a machine's console. It holds none of ours; what a
// package's script prints, or the address of a mirror, nobody knows before.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`),
	regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`),
	regexp.MustCompile(`\b(?:gh[pousr]_|github_pat_)[A-Za-z0-9_.-]{16,}`),
	regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]+){0,2}`),
	regexp.MustCompile(`(?i)\bbearer +[A-Za-z0-9._~+/-]{8,}=*`),
	regexp.MustCompile(`://[^/\s:@]+:[^/\s@]+@`),
	regexp.MustCompile(`(?i)[a-z0-9_-]*(?:passw(?:or)?d|secret|token|api_?key|jitconfig)[a-z0-9_-]*["']?\s*[:=]\s*["']?[^\s"']{6,}`),
}

// redact hides what looks like a secret.
func redact(text string) string {
	for _, s := range secrets {
		text = s.ReplaceAllString(text, "[hidden]")
	}
	return text
}
