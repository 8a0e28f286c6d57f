# Runs the blocks of a test file's data section against an nginx of its own.
#
# The format and the names of the assertions are those of Test::Nginx, so that
# whoever reads its reports can read ours; only core modules are needed.
package Blocks;

use strict;
use warnings;

use Cwd ();
use Exporter 'import';
use Test::More;
use Time::HiRes ();

use Blocks::Http;
use Blocks::Leak;
use Blocks::Nginx;

our @EXPORT = qw(run_blocks);

# The sections that carry assertions, in the order they are checked.
my @CHECKS = (
    [ error_code       => \&check_code ],
    [ response_headers => \&check_headers ],
    [ response_body    => \&check_body ],
    [ error_log        => \&check_error_log ],
    [ no_error_log     => \&check_no_error_log ],
);

# run_blocks runs every block below __DATA__ of the calling script.
sub run_blocks {
    my $data   = do { no strict 'refs'; \*{ caller() . '::DATA' } };
    my @blocks = parse( $0, do { local $/; <$data> } );
    my %mode   = (
        hup      => $ENV{TEST_NGINX_USE_HUP},
        valgrind => $ENV{TEST_NGINX_USE_VALGRIND},
        leak     => $ENV{TEST_NGINX_CHECK_LEAK},
    );

    STDOUT->autoflush(1);
    STDERR->autoflush(1);
    plan tests => total(@blocks);

    my $nginx = Blocks::Nginx->new( root => Cwd::getcwd(), %mode );
    for my $block (@blocks) {
        $nginx->stop unless $nginx->keeps($block);
        local $Test::Builder::Level = $Test::Builder::Level + 1;

        # Valgrind and the leak check print without naming the block.
        print STDERR "$block->{name}\n" if $mode{valgrind} || $mode{leak};

        if ( my $why = $nginx->serve($block) ) {
            BAIL_OUT("$block->{name} - $why");
        }
        $mode{leak} ? run_leak( $nginx, $block ) : run_request( $nginx, $block );
    }
    $nginx->stop;
    return;
}

# parse reads the blocks of a data section.
sub parse {
    my ( $path, $data ) = @_;
    my @blocks;
    $path =~ s{^\./}{};
    for my $part ( split /^(?====[ \t])/m, $data ) {
        next unless $part =~ s/^===[ \t]+([^\n]*?)[ \t]*\n//;
        my %block = ( name => "$path $1", config => '', http_config => '' );
        for my $section ( split /^(?=--- )/m, $part ) {
            next unless $section =~ s/^--- (\w+)([^\n]*)\n//;
            my ( $key, $inline ) = ( $1, $2 );
            $inline =~ s/^:?[ \t]*//;
            $section =~ s/\n+\z/\n/;
            $block{$key} = length $inline ? $inline : $section;
        }
        $block{error_code} = 200 unless defined $block{error_code};
        push @blocks, \%block;
    }
    return @blocks;
}

sub total {
    my $n = 0;
    for my $block (@_) {
        for my $check (@CHECKS) {
            my $value = $block->{ $check->[0] };
            next unless defined $value;
            $n += $check->[0] =~ /^(?:error_code|response_body)$/ ? 1 : entries($value);
        }
    }
    return $n;
}

# entries returns the non-empty lines of a section.
sub entries { return grep { length } split /\n/, $_[0] }

sub run_request {
    my ( $nginx, $block ) = @_;
    my $timeout = $ENV{TEST_NGINX_TIMEOUT} || ( $ENV{TEST_NGINX_USE_VALGRIND} ? 6 : 3 );
    $nginx->mark_log;
    my $response = Blocks::Http::request( $nginx->port, $block->{request}, $timeout );

    # The master notes a crash a little later, and starts another worker: nobody
    # else would notice.
    Time::HiRes::sleep(0.2) if $response->{error};
    print STDERR "WARNING: $block->{name} - $_\n" for grep { /exited on signal/ } $nginx->log_lines;

    if ( $response->{error} ) {
        fail("ERROR: $response->{error} - $block->{name}");
        fail("$block->{name} - no response") for 2 .. total($block);
        return;
    }
    for my $check (@CHECKS) {
        my ( $section, $code ) = @$check;
        next unless defined $block->{$section};
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        $code->( $nginx, $block, $response );
    }
    return;
}

# run_leak answers with the resident set instead of the body: whether an answer
# is right is for the other modes.
sub run_leak {
    my ( $nginx, $block ) = @_;
    my $gone;
    if ( !exists $block->{no_check_leak} ) {
        $gone = Blocks::Leak::check( $nginx, $block->{request} );
    }
    my $left = total($block);
    if ($gone) {
        fail("$block->{name} - the nginx process $gone is gone");
        $left--;
    }
  SKIP: {
        skip "$block->{name} - leak check only", $left if $left;
    }
    return;
}

sub check_code {
    my ( $nginx, $block, $response ) = @_;
    is( $response->{code}, $block->{error_code} + 0, "$block->{name} - status code ok" );
    return;
}

sub check_headers {
    my ( $nginx, $block, $response ) = @_;
    for my $line ( entries( $block->{response_headers} ) ) {
        my ( $key, $value ) = split /:[ \t]*/, $line, 2;
        is( $response->{headers}{ lc $key }, $value, "$block->{name} - header $key ok" );
    }
    return;
}

sub check_body {
    my ( $nginx, $block, $response ) = @_;
    is( $response->{body}, $block->{response_body},
        "$block->{name} - response_body - response is expected (repeated req 0, req 0)" );
    return;
}

sub check_error_log {
    my ( $nginx, $block ) = @_;
    for my $pattern ( entries( $block->{error_log} ) ) {
        my $found = grep { index( $_, $pattern ) >= 0 } $nginx->log_lines;
        my $verb  = $found ? 'matches' : 'should match';
        ok( $found, qq{$block->{name} - pattern "$pattern" $verb a line in error.log (req 0)} );
    }
    return;
}

sub check_no_error_log {
    my ( $nginx, $block ) = @_;
    for my $pattern ( entries( $block->{no_error_log} ) ) {
        my ($line) = grep { index( $_, $pattern ) >= 0 } $nginx->log_lines;
        if ( defined $line ) {
            fail(   qq{$block->{name} - pattern "$pattern" should not match any line in error.log}
                  . qq{ but matches line "$line" (req 0)} );
            next;
        }
        pass(qq{$block->{name} - pattern "$pattern" does not match a line in error.log (req 0)});
    }
    return;
}

1;
