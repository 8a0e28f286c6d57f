# A small HTTP client that keeps its connection, for one request or many.
package Blocks::Http;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes ();

# request sends one request, written as in the section: the request line, then
# the body. It returns code, headers and body, or error.
sub request {
    my ( $port, $text, $timeout ) = @_;
    my $socket = connection($port)
      or return { error => "Can't connect to 127.0.0.1:$port: $!" };
    print {$socket} message( $text, 'close' );
    my $buffer = '';
    my $response = response( $socket, \$buffer, Time::HiRes::time() + $timeout );
    close $socket;
    return $response;
}

sub connection {
    my ($port) = @_;
    return IO::Socket::INET->new( PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp' );
}

# message is the bytes of a request.
sub message {
    my ( $text, $connection ) = @_;
    my ( $line, $body ) = split /\n/, $text, 2;
    my ( $method, $path ) = split ' ', $line;
    $body = '' unless defined $body;
    chomp $body;
    my $length = length $body || $method eq 'POST' ? "Content-Length: @{[ length $body ]}\r\n" : '';
    return "$method $path HTTP/1.1\r\nHost: localhost\r\nConnection: $connection\r\n$length\r\n$body";
}

# response reads one response; what follows it stays in the buffer.
sub response {
    my ( $socket, $buffer, $deadline ) = @_;
    my $select = IO::Select->new($socket);
    while (1) {
        my $response = parse($buffer);
        return $response if $response;
        my $left = $deadline - Time::HiRes::time();
        return { error => 'client socket timed out' } if $left <= 0 || !$select->can_read($left);
        my $got = sysread $socket, $$buffer, 65536, length $$buffer;
        return { error => 'connection closed before the response ended' } unless $got;
    }
}

# parse takes one whole response off the buffer, or nothing when more must come.
sub parse {
    my ($buffer) = @_;
    my $end = index $$buffer, "\r\n\r\n";
    return if $end < 0;
    my ( $status, @lines ) = split /\r\n/, substr( $$buffer, 0, $end );
    my ($code) = $status =~ m{^HTTP/1\.\d (\d{3})};
    return { error => 'no HTTP response' } unless $code;
    my %headers = map { /^([^:]+):[ \t]*(.*)/ ? ( lc $1, $2 ) : () } @lines;

    my $rest = substr $$buffer, $end + 4;
    my $body = '';
    if ( ( $headers{'transfer-encoding'} || '' ) eq 'chunked' ) {
        while (1) {
            return unless $rest =~ s/^([0-9a-fA-F]+)\r\n//;
            my $size = hex $1;
            return if length $rest < $size + 2;
            $body .= substr $rest, 0, $size;
            substr( $rest, 0, $size + 2 ) = '';
            last if $size == 0;
        }
    }
    else {
        my $size = $headers{'content-length'} || 0;
        return if length $rest < $size;
        $body = substr $rest, 0, $size, '';
    }
    $$buffer = $rest;
    return { code => $code + 0, headers => \%headers, body => $body };
}

1;
