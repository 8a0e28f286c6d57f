package runnerfleet

import (
	"bytes"
	"testing"
	"time"
)

func TestAdvance(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	mine, other := []byte("mine"), []byte("other")
	for _, tt := range []struct {
		name  string
		in    Instance
		event event
		moved bool
		state State
		owed  bool
	}{
		{"a launch is settled before the cloud is asked", Instance{State: Intended}, event{kind: prepared, params: "p"}, true, Intended, false},
		{"a settled launch is not settled again", Instance{State: Intended, Params: "p"}, event{kind: prepared, params: "q"}, false, Intended, false},
		{"no capacity unsettles the launch", Instance{State: Intended, Params: "p"}, event{kind: refused}, true, Intended, false},
		{"no capacity after the cloud's answer is old news", Instance{State: Intended, CloudID: "m"}, event{kind: refused}, false, Intended, false},
		{"no capacity after enrolment is old news", Instance{State: Idle}, event{kind: refused}, false, Idle, false},
		{"the cloud's answer makes it boot", Instance{State: Intended}, event{kind: launched, cloudID: "m"}, true, Booting, false},
		{"the cloud's answer after enrolment moves nothing back", Instance{State: Busy}, event{kind: launched, cloudID: "m"}, true, Busy, false},
		{"the cloud's answer again changes nothing", Instance{State: Booting, CloudID: "m"}, event{kind: launched, cloudID: "m"}, false, Booting, false},
		{"the cloud's answer for an ended one is noted", Instance{State: Done}, event{kind: launched, cloudID: "m"}, true, Done, false},
		{"an agent enrols", Instance{State: Booting}, event{kind: enrolled, secret: mine}, true, Idle, false},
		{"an agent enrols before the launch is noted", Instance{State: Intended}, event{kind: enrolled, secret: mine}, true, Idle, false},
		{"the same agent enrols again", Instance{State: Busy, Secret: mine}, event{kind: enrolled, secret: mine}, false, Busy, false},
		{"another agent ends the instance", Instance{State: Busy, Secret: mine}, event{kind: enrolled, secret: other}, true, Done, true},
		{"an ended instance lets nobody in", Instance{State: Done}, event{kind: enrolled, secret: mine}, false, Done, false},
		{"a heartbeat", Instance{State: Idle, EnrolledAt: now}, event{kind: beat}, true, Idle, false},
		{"a heartbeat before enrolment", Instance{State: Booting}, event{kind: beat}, false, Booting, false},
		{"a heartbeat after the end", Instance{State: Done, EnrolledAt: now}, event{kind: beat}, false, Done, false},
		{"a piece makes it busy", Instance{State: Idle}, event{kind: took}, true, Busy, false},
		{"the same piece again", Instance{State: Busy, Taken: 1}, event{kind: took}, false, Busy, false},
		{"a second lane's piece", Instance{State: Busy, Taken: 1}, event{kind: took, lane: 63}, true, Busy, false},
		{"a piece handed to an ended one is owed", Instance{State: Done}, event{kind: took}, true, Done, true},
		{"a piece handed to a gone one is owed", Instance{State: Gone}, event{kind: took}, true, Gone, true},
		{"a piece handed to one that is owed already", Instance{State: Done, Owed: true}, event{kind: took}, false, Done, true},
		{"a reported piece frees it", Instance{State: Busy, Taken: 1}, event{kind: freed}, true, Idle, false},
		{"it stays busy while another lane works", Instance{State: Busy, Taken: 5}, event{kind: freed, lane: 2}, true, Busy, false},
		{"the report of a lane that had nothing", Instance{State: Busy, Taken: 1}, event{kind: freed, lane: 1}, false, Busy, false},
		{"a piece reported twice", Instance{State: Idle}, event{kind: freed}, false, Idle, false},
		{"a report after the end", Instance{State: Done}, event{kind: freed}, false, Done, false},
		{"it finishes", Instance{State: Idle}, event{kind: ended}, true, Done, false},
		{"it is lost", Instance{State: Busy}, event{kind: ended, lost: true}, true, Done, true},
		{"a loss after its finish is no loss", Instance{State: Done}, event{kind: ended, lost: true}, false, Done, false},
		{"Work was told", Instance{State: Done, Owed: true}, event{kind: told}, true, Done, false},
		{"Work was told again", Instance{State: Done}, event{kind: told}, false, Done, false},
		{"the cloud confirms", Instance{State: Done}, event{kind: vanished}, true, Gone, false},
		{"the cloud confirms before Work was told", Instance{State: Done, Owed: true}, event{kind: vanished}, false, Done, true},
		{"the cloud confirms what has not ended", Instance{State: Busy}, event{kind: vanished}, false, Busy, false},
		{"the cloud confirms again", Instance{State: Gone}, event{kind: vanished}, false, Gone, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := tt.in
			moved := in.advance(tt.event, now)
			if moved != tt.moved || in.State != tt.state || in.Owed != tt.owed {
				t.Errorf("moved %v to %s, owed %v; want %v to %s, owed %v",
					moved, in.State, in.Owed, tt.moved, tt.state, tt.owed)
			}
			if !moved && (!bytes.Equal(in.Secret, tt.in.Secret) || in.CloudID != tt.in.CloudID || !in.SeenAt.Equal(tt.in.SeenAt)) {
				t.Errorf("unmoved, but changed to %+v", in)
			}
		})
	}
}

func TestInstanceID(t *testing.T) {
	long := string(bytes.Repeat([]byte("x"), 60))
	for _, tt := range []struct {
		name string
		b    Bucket
		id   string // "" for an error
	}{
		{"run and number", Bucket{ID: "r1/b2", Attempt: 3}, "r1-b2-a3"},
		{"one word", Bucket{ID: "b_1", Attempt: 1}, "b_1-a1"},
		{"sixty bytes are enough", Bucket{ID: long, Attempt: 1}, long + "-a1"},
		{"sixty-one are too many", Bucket{ID: long + "x", Attempt: 1}, ""},
		{"no attempt", Bucket{ID: "b1"}, ""},
		{"a hyphen could make two buckets one instance", Bucket{ID: "r1-b2", Attempt: 1}, ""},
		{"a way out of the directory", Bucket{ID: "../b", Attempt: 1}, ""},
		{"an empty word", Bucket{ID: "r1//b", Attempt: 1}, ""},
		{"nothing", Bucket{Attempt: 1}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := InstanceID(tt.b)
			if id != tt.id || (err == nil) != (tt.id != "") {
				t.Errorf("InstanceID = %q, %v; want %q", id, err, tt.id)
			}
		})
	}
}
