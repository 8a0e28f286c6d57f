package runnerfleet

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Reasons an instance left that are not news about its machine.
const (
	reasonFinished  = "bucket finished"
	reasonUnwanted  = "bucket not wanted"
	reasonTwice     = "enrolled twice"
	reasonVanished  = "machine vanished"
	reasonOverdue   = "past its deadline"
	reasonNoEnrol   = "never enrolled"
	reasonNoLaunch  = "never launched"
	reasonSilent    = "no heartbeat"
	reasonKeyChange = "fleet key changed since its launch"
)

// capacityWait is how long a launch waits after the cloud had no capacity for it, and
// the next attempt after the cloud rejected one.
const capacityWait = 20 * time.Second

// waits reports whether nothing is to be launched yet. After a refusal it is never longer
// than capacityWait, unless the clock was set back.
func (in *Instance) waits(now time.Time) bool {
	return now.Before(in.RetryAt) && (in.Tries == 0 || in.RetryAt.Sub(now) <= capacityWait)
}

// event is what happened to an instance.
type event struct {
	kind    eventKind
	params  string // of prepared
	cloudID string // of launched
	secret  []byte // of enrolled: SHA-256 of the bearer secret
	reason  string // of ended, refused, rejected and delayed
	lost    bool   // of ended: Work is to be told
	lane    int    // of took and freed
}

type eventKind int

const (
	prepared eventKind = iota // what its launch will say is settled
	refused                   // the cloud had no capacity for it
	rejected                  // the cloud will not launch it
	delayed                   // the cloud gave no answer that settles anything
	launched                  // the cloud accepted it
	enrolled                  // an agent showed the one-time token
	beat                      // its agent was heard
	took                      // a lane of it was handed a piece
	freed                     // a lane's piece is reported
	ended                     // it finished, or must go
	told                      // Work knows that it was lost
	vanished                  // the cloud confirms that it does not exist
)

// apply does what an event means. Any may come again, or come late: then it changes
// nothing, except that a piece handed to an instance which had already ended is
// owed to Work, and that a second agent with the first one's token ends the instance.
func (in *Instance) apply(e event, now time.Time) bool {
	live := in.live()
	switch e.kind {
	case prepared:
		if in.State != Intended || in.Params != "" {
			return false
		}
		in.Params = e.params
	case refused, rejected, delayed:
		return in.unserved(e, now)
	case launched:
		return in.launched(e.cloudID, now)
	case enrolled:
		return in.enrolled(e.secret, now)
	case beat:
		if !live || in.EnrolledAt.IsZero() {
			return false
		}
		in.SeenAt = now
	case took:
		return in.took(e.lane)
	case freed:
		return in.freed(e.lane)
	case ended:
		if !live {
			return false
		}
		in.State, in.Reason, in.Owed, in.EndedAt = Done, e.reason, e.lost, now
	case told:
		if !in.Owed {
			return false
		}
		in.Owed = false
	case vanished:
		if in.State != Done || in.Owed {
			return false
		}
		in.State = Gone
	}
	return true
}

// unserved notes why the cloud gave no machine. A launch that was rejected is not
// repeated: it is the bucket's next attempt that is made, some time later.
func (in *Instance) unserved(e event, now time.Time) bool {
	if in.State != Intended || in.CloudID != "" || e.kind == delayed && in.Reason == e.reason {
		return false
	}
	in.Reason = e.reason
	if e.kind != delayed {
		in.Params, in.Tries, in.RetryAt = "", in.Tries+1, now.Add(capacityWait)
	}
	if e.kind == rejected {
		in.State, in.Owed, in.EndedAt = Done, true, now
	}
	return true
}

// took notes a lane's piece. An instance that had ended owes it to Work.
func (in *Instance) took(lane int) bool {
	bit := uint64(1) << lane
	switch {
	case (in.State == Idle || in.State == Busy) && in.Taken&bit == 0:
		in.State, in.Taken = Busy, in.Taken|bit
	case !in.live() && !in.Owed:
		in.Owed = true
	default:
		return false
	}
	return true
}

// freed notes that a lane is rid of its piece. The instance is idle when all are.
func (in *Instance) freed(lane int) bool {
	bit := uint64(1) << lane
	if in.State != Busy || in.Taken&bit == 0 {
		return false
	}
	if in.Taken &^= bit; in.Taken == 0 {
		in.State = Idle
	}
	return true
}

// lanes is how many pieces it runs at once.
func (in *Instance) lanes() int { return max(1, in.Lanes) }

// launched notes the cloud's answer. An agent may enrol before it is written
// down, so the state moves only from Intended.
func (in *Instance) launched(cloudID string, now time.Time) bool {
	if in.CloudID != "" {
		return false
	}
	in.CloudID, in.LaunchedAt = cloudID, now
	if in.State == Intended {
		in.State, in.Reason = Booting, ""
	}
	return true
}

// enrolled binds the instance to one agent process for good.
func (in *Instance) enrolled(secret []byte, now time.Time) bool {
	switch {
	case !in.live():
		return false
	case in.Secret == nil:
		in.State, in.Secret, in.EnrolledAt, in.SeenAt, in.Reason = Idle, secret, now, now, ""
		return true
	case subtle.ConstantTimeCompare(in.Secret, secret) == 1:
		return false // the same agent, which did not see our answer
	}
	return in.advance(event{kind: ended, reason: reasonTwice, lost: true}, now)
}

// live reports whether the instance may still be served.
func (in *Instance) live() bool { return in.State != Done && in.State != Gone }

// overdue reports why in must go, or "" if it may stay. at.listening is since
// when this process has been there to hear agents: what nobody could hear is
// no silence. A busy instance whose bucket nobody wants stays: killing it loses
// a log nobody can rebuild, and its deadline bounds what it costs.
func (in *Instance) overdue(at situation, now time.Time, lim Limits) string {
	switch {
	case !in.live():
		return in.Reason
	case !now.Before(in.Deadline):
		return reasonOverdue
	case in.EnrolledAt.IsZero() && !in.waits(now) && since(in.started(), at.listening, now) >= lim.BootGrace:
		return reasonNoEnrol
	case !in.EnrolledAt.IsZero() && since(in.SeenAt, at.listening, now) >= lim.Silence:
		return reasonSilent
	case !at.wanted && in.State != Busy:
		return reasonUnwanted
	}
	return ""
}

// explain says more of why it leaves, where it never had a machine that could enrol.
func (in *Instance) explain(why string) string {
	if why == reasonNoEnrol && in.CloudID == "" && in.Reason != "" {
		return reasonNoLaunch + ": " + in.Reason
	}
	return why
}

// started is when its machine began to exist, as far as is known. Waiting for
// capacity is not booting.
func (in *Instance) started() time.Time {
	return later(later(in.LaunchedAt, in.IntendedAt), in.RetryAt)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// launch returns the frozen parameters of the instance's launch.
func (in *Instance) launch(token string) Launch {
	return Launch{
		Instance: in.ID, Bucket: in.Bucket, Arch: in.Arch, Type: in.Type,
		URL: in.URL, Token: token, Deadline: in.Deadline, OnDemand: in.OnDemand, Try: in.Tries, Params: in.Params,
	}
}

var bucketID = regexp.MustCompile(`^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$`)

// InstanceID names the instance of a bucket's attempt: two attempts never share
// one, and it may be a file name, a tag or a part of a URL.
func InstanceID(b Bucket) (string, error) {
	if len(b.ID) > 60 || !bucketID.MatchString(b.ID) {
		return "", fmt.Errorf("%q is no bucket id", b.ID)
	}
	if b.Attempt < 1 {
		return "", fmt.Errorf("bucket %s: attempt %d is below 1", b.ID, b.Attempt)
	}
	return fmt.Sprintf("%s-a%d", strings.ReplaceAll(b.ID, "/", "-"), b.Attempt), nil
}

// enrolToken derives an instance's one-time token, so that a launch repeated
// after a crash sends the one that was intended.
func enrolToken(key []byte, instance string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("ortest enrolment\x00" + instance))
	return hex.EncodeToString(mac.Sum(nil))
}

func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}
