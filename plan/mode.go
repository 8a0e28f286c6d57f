package plan

// Mode is how a suite runs: one of t tr tw tv trv twv th thv tl to.
type Mode struct {
	Name      string            `json:"name" yaml:"name"`
	Title     string            `json:"title" yaml:"title"` // for people: "valgrind, reading one byte at a time"
	Env       map[string]string `json:"env,omitempty" yaml:"env"`
	Mock      string            `json:"mock,omitempty" yaml:"mock"` // mockeagain: r reading, w writing, "" none
	Valgrind  bool              `json:"valgrind,omitempty" yaml:"valgrind"`
	HUP       bool              `json:"hup,omitempty" yaml:"hup"`             // servers are reloaded, not restarted
	Leak      bool              `json:"leak,omitempty" yaml:"leak"`           // resident memory is watched under load
	Optimised bool              `json:"optimised,omitempty" yaml:"optimised"` // built as for production, without assertions
	CPUShare  float64           `json:"cpu_share" yaml:"cpu_share"`           // CPU seconds per wall second while testing, one lane
	PerBlock  float64           `json:"seconds_per_block" yaml:"seconds_per_block"`
}
