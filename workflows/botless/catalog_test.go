package botless

import (
	"errors"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/report"
	"github.com/ortest/ortest/workflows"
)

func TestAJobHasThePlansCatalog(t *testing.T) {
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	j := Job{
		Catalog: func(string) (*catalog.Catalog, error) { return c, nil },
		Judge: func(*catalog.Catalog) func(report.Evidence) (report.GoalResult, error) {
			return func(ev report.Evidence) (report.GoalResult, error) { return report.GoalResult{Goal: ev.Goal}, nil }
		},
	}
	for _, tt := range []struct {
		name, revision string
		good           bool
	}{
		{"the same", c.Revision, true},
		{"a plan of before pieces named it", "", true},
		{"another", strings.Repeat("0", 16), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			results, err := j.judge([]workflows.Piece{{ID: "1/p1/1", Goal: "t-hello", Catalog: tt.revision}}, nil)
			var wrong *UsageError
			if tt.good && (err != nil || len(results) != 1) || !tt.good && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), c.Revision)) {
				t.Errorf("%v, %v", results, err)
			}
		})
	}
}

func TestWhatIsMissingIsNamedAtOnce(t *testing.T) {
	for name, value := range map[string]string{"ORTEST_SUBNETS": "", "ORTEST_SECURITY_GROUPS": "sg-1", "ORTEST_AGENT_BINARY": ""} {
		t.Setenv(name, value)
	}
	for _, tt := range []struct {
		names []string
		says  string
	}{
		{[]string{"ORTEST_SECURITY_GROUPS"}, ""},
		{[]string{"ORTEST_SECURITY_GROUPS", "ORTEST_SUBNETS"}, "ORTEST_SUBNETS is empty: "},
		{[]string{"ORTEST_SUBNETS", "ORTEST_SECURITY_GROUPS", "ORTEST_AGENT_BINARY"}, "ORTEST_SUBNETS, ORTEST_AGENT_BINARY are empty: "},
	} {
		err := required(tt.names...)
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.says)) {
			t.Errorf("required(%q) = %v, want %q", tt.names, err, tt.says)
		}
	}
}
