# Samples the resident set of nginx while it is under load.
package Blocks::Leak;

use strict;
use warnings;

use POSIX ();
use Time::HiRes ();

use Blocks::Http;

use constant INTERVAL => 0.025;    # seconds
use constant SAMPLES  => 60;

# A cold nginx grows until caches and heap have their size, which is no leak: we
# begin when so many samples in a row were equal, or have waited for so many.
use constant CALM    => 12;
use constant WARM_UP => 60;

# check prints the samples in KiB and their slope. It returns the process that
# went away meanwhile, or nothing.
sub check {
    my ( $nginx, $request ) = @_;
    my $worker = $nginx->worker;
    my $client = load( $nginx->port, $request );

    warm_up($worker);
    my @samples;
    for ( 1 .. SAMPLES ) {
        push @samples, resident($worker);
        Time::HiRes::sleep(INTERVAL);
    }
    kill KILL => $client;
    waitpid $client, 0;

    print STDERR "LeakTest: [@samples]\n";
    print STDERR sprintf "LeakTest: k=%.1f\n", slope(@samples);
    return $samples[-1] == 0 ? $worker : ();
}

sub warm_up {
    my ($worker) = @_;
    my ( $last, $calm ) = ( 0, 0 );
    for ( 1 .. WARM_UP ) {
        Time::HiRes::sleep(INTERVAL);
        my $now = resident($worker);
        $calm = $now == $last ? $calm + 1 : 0;
        return if $calm == CALM;
        $last = $now;
    }
    return;
}

# load starts a process that sends the request again and again.
sub load {
    my ( $port, $text ) = @_;
    my $parent = $$;
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    return $pid if $pid;

    my $message = Blocks::Http::message( $text, 'keep-alive' );
    while ( getppid == $parent ) {
        my $socket = Blocks::Http::connection($port) or last;
        my $buffer = '';
        while ( getppid == $parent ) {
            defined syswrite $socket, $message or last;
            my $response = Blocks::Http::response( $socket, \$buffer, Time::HiRes::time() + 3 );
            last if $response->{error} || ( $response->{headers}{connection} || '' ) eq 'close';
        }
    }
    POSIX::_exit(0);
}

# resident is a process's resident set in KiB, 0 when it is gone.
sub resident {
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/status" or return 0;
    while (<$file>) {
        return $1 if /^VmRSS:\s+(\d+) kB/;
    }
    return 0;
}

# slope is that of the least-squares line through the samples, in KiB a sample.
sub slope {
    my @y = @_;
    my ( $sx, $sy, $sxx, $sxy ) = ( 0, 0, 0, 0 );
    for my $x ( 0 .. $#y ) {
        $sx  += $x;
        $sy  += $y[$x];
        $sxx += $x * $x;
        $sxy += $x * $y[$x];
    }
    return ( @y * $sxy - $sx * $sy ) / ( @y * $sxx - $sx * $sx );
}

1;
