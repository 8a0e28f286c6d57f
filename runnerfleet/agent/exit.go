package agent

// verdict is what an exit code of actions/runner means for the piece.
type verdict struct {
	again  bool // the same registration may be tried again, unless a job began
	broken bool // no runner will do better on this machine
	why    string
}

// verdicts are by the exit codes of Runner.Listener. 0 says only that nothing went
// wrong: a registration that was removed ends so, too, and no job ran. What
// is not listed says nothing.
var verdicts = map[int]verdict{
	1: {why: "GitHub refused the runner, or its registration is used up"},
	2: {again: true, why: "the runner could not go on"},
	3: {again: true, why: "the runner updated itself"},
	4: {again: true, why: "the runner updated itself"},
	5: {why: "another process has the runner's session"},
	6: {again: true, why: "the runner's configuration was refreshed"},
	7: {broken: true, why: "GitHub takes no runner of this version any more: the machine's image needs a newer one"},
}

// starts is how often one registration is tried.
const starts = 3
