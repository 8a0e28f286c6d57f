package action

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/ortest/ortest/plan/catalog"
	"github.com/ortest/ortest/plan/recipe"
)

// greeter is a server that says what its data holds.
var greeter = recipe.Service{
	Name: "greeter",
	Init: [][]string{{"sh", "-c", "echo hello > $DATA/greeting"}},
	Start: []string{"perl", "-MIO::Socket::INET", "-e", `
		die "it reads byte by byte\n" if $$ENV{MOCKEAGAIN};
		my $$s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => shift, ReuseAddr => 1) or die "no port: $$!\n";
		while (my $$c = $$s->accept) { open my $$f, "<", "greeting" or die; print {$$c} <$$f>; close $$c }`, "$PORT"},
	Env: map[string]string{"GREETER_PORT": "$PORT"},
}

const asks = `use IO::Socket::INET;
my $port = $ENV{GREETER_PORT} || DEFAULT;
my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port);
print "1..1\n", ($c && <$c> eq "hello\n" ? "ok 1 - greeted" : "not ok 1 - greeted"), ($ENV{GREETER_PORT} ? " elsewhere\n" : "\n");
`

func TestServicesRunBesideTheTests(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for _, tt := range []struct {
		name  string
		taken bool
		start []string
		env   map[string]string
		want  string // in the log
		stop  string // why the piece stops
	}{
		{"on the usual port when that is free", false, greeter.Start, greeter.Env, "ok 1 - greeted\n", ""},
		{"in a lane", false, greeter.Start, greeter.Env, "ok 1 - greeted\n", ""},
		{"on another when it is taken, and the tests are told", true, greeter.Start, greeter.Env, "ok 1 - greeted elsewhere\n", ""},
		{"not at all when they cannot be told", true, greeter.Start, nil, "", "is taken, and the suite knows no other"},
		{"one that ends is named with its last lines", false, []string{"sh", "-c", "echo no luck >&2; exit 3"}, greeter.Env, "", "service greeter: it ended: exit status 3: no luck"},
		{"one that is not there", false, []string{"no-such-server"}, greeter.Env, "", "service greeter:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := greeter
			s.Start, s.Env, s.Port = tt.start, tt.env, port
			if !tt.taken {
				l.Close()
				defer func() {
					if l, err = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err != nil {
						t.Fatal(err)
					}
				}()
			}
			p := script()
			p.Env = map[string]string{"MOCKEAGAIN": "r"} // as in tr: of the suite alone
			p.Recipe.Services = []recipe.Service{s}
			cfg := config(t, p, "t", map[string][]byte{"t/a.t": []byte(strings.ReplaceAll(asks, "DEFAULT", strconv.Itoa(port)))})
			cfg.Lanes = tt.name == "in a lane"
			result, ev := ran(t, cfg)
			if tt.stop != "" {
				if !strings.Contains(result.End.Reason, tt.stop) || result.End.Phase != PhasePrepare {
					t.Errorf("ended with %+v", result.End)
				}
				return
			}
			if log := logOf(t, ev, "t/a.t"); !strings.Contains(log, tt.want) {
				t.Errorf("ended with %+v; the log lacks %q:\n%s", result.End, tt.want, log)
			}
		})
	}
}

// asksNames asks a name server as the suites do, by UDP, and prints what it answers.
const asksNames = `use IO::Socket::INET;
my ($host, $port) = split /:/, $ENV{TEST_NGINX_RESOLVER};
my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => $host, PeerPort => $port || 53) or die;
$SIG{ALRM} = sub { die "no answer\n" };
alarm 5;
my @names = ("localhost", "nobody.invalid", ELSEWHERE);
for my $name (@names) {
	$s->send(pack("n6", 1, 0x100, 1, 0, 0, 0) . join("", map { pack "C/a", $_ } split /\./, $name) . "\0" . pack("nn", 1, 1));
	$s->recv(my $got, 512);
	my ($flags, $n) = (unpack "n6", $got)[1, 3];
	print "$name: ", $flags & 15, " ", $n ? join(".", unpack "C4", substr $got, -4) : "no address", "\n";
}
print "1..1\nok 1\n";
`

// The caching name server of the catalog, with the real program.
func TestALaneHasAnOwnNameServer(t *testing.T) {
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	dns, _ := c.Project("lua-resty-dns")
	for _, tt := range []struct {
		name, elsewhere, want string
		lanes                 bool
	}{
		{"in a lane it refuses what it would have to ask elsewhere", `"www.example.com"`, "localhost: 0 127.0.0.1\nnobody.invalid: 3 no address\nwww.example.com: 5 no address\n", true},
		{"beside the machine's own on another port", "()", "localhost: 0 127.0.0.1\nnobody.invalid: 3 no address\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := script()
			p.Env = map[string]string{"TEST_NGINX_RESOLVER": "127.0.0.1"}
			p.Recipe.Services = dns.Recipe.Services
			if !tt.lanes {
				if l, err := net.Listen("tcp", "127.0.0.1:53"); err == nil {
					defer l.Close()
				}
			}
			cfg := config(t, p, "t", one("t/a.t", strings.ReplaceAll(asksNames, "ELSEWHERE", tt.elsewhere)))
			cfg.Lanes = tt.lanes
			result, ev := ran(t, cfg)
			if result.End.Reason != "" {
				t.Fatal(result.End)
			}
			if log := logOf(t, ev, "t/a.t"); !strings.Contains(log, tt.want) {
				t.Errorf("the log lacks %q:\n%s", tt.want, log)
			}
		})
	}
}
