use strict;
use warnings;

use IPC::Open2;
use Test::More tests => 4;

my @command = 'build/tally';
unshift @command, qw(valgrind -q --leak-check=full) if $ENV{TEST_NGINX_USE_VALGRIND};

# tally runs the command on some lines and returns what it prints.
sub tally {
    my ($lines) = @_;
    my $pid = open2( my $out, my $in, @command );
    print {$in} $lines;
    close $in;
    my $printed = do { local $/; <$out> };
    waitpid $pid, 0;
    return defined $printed ? $printed : '';
}

is( tally(''),             '',             'nothing counts nothing' );
is( tally("a\nb\na\n"),    "2 a\n1 b\n",   'words are counted in order of appearance' );
is( tally("\n\na\n"),      "1 a\n",        'empty lines are no words' );
is( tally("a b\na  b\n"),  "1 a b\n1 a  b\n", 'blanks belong to a word' );
