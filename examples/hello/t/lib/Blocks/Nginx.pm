# One nginx in a folder and on a port of its own.
#
# The port is opened here, by number 0, and handed to nginx the way an nginx
# hands its sockets to its successor. So two suites never race for a port, and
# a request sent before nginx is ready waits in the socket's queue.
package Blocks::Nginx;

use strict;
use warnings;

use Fcntl qw(F_SETFD);
use File::Temp ();
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes ();

use Blocks::Http;

# new takes root, the project's folder, and the switches hup, valgrind and leak.
sub new {
    my ( $class, %self ) = @_;
    my $self = bless { owner => $$, generation => 0, mark => 0, %self }, $class;
    $self->{dir} = File::Temp->newdir( 'hello-XXXXXX', TMPDIR => 1 );
    mkdir "$self->{dir}/$_" for qw(conf logs);
    return $self;
}

sub port { return $_[0]{port} }

# keeps tells whether the running nginx can go on with a block's configuration. A
# leak check needs a fresh heap; a reload takes any configuration.
sub keeps {
    my ( $self, $block ) = @_;
    return 1 if $self->{hup};
    return if $self->{leak} || !$self->{block};
    return !grep { $self->{block}{$_} ne $block->{$_} } qw(http_config config);
}

# serve makes nginx answer with a block's configuration. It returns why it cannot.
sub serve {
    my ( $self, $block ) = @_;
    return if $self->{pid} && !$self->{hup};
    $self->{block} = $block;
    $self->{generation}++;
    return $self->{pid} ? $self->reload : $self->start;
}

sub start {
    my ($self) = @_;
    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 511,
    ) or return "cannot listen: $!";
    $self->{port} = $listen->sockport;
    $self->configure;

    my @command = $self->command;
    my $pid     = fork;
    return "cannot fork: $!" unless defined $pid;
    if ( !$pid ) {
        fcntl $listen, F_SETFD, 0;
        $ENV{NGINX} = fileno($listen) . ';';
        { exec { $command[0] } @command };
        print STDERR "exec $command[0]: $!\n";
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;

    # Held open here as well, the port would go on accepting for a dead nginx.
    close $listen;
    return $self->await_generation( $self->{valgrind} ? 30 : 5 );
}

# command is how nginx is started. The search path of an ordinary user has no sbin.
# Of lost memory only what is definitely lost counts: nginx points into the middle
# of its pools, which valgrind calls possibly lost.
sub command {
    my ($self) = @_;
    my ($binary) = grep { -x } $ENV{TEST_NGINX_BINARY} || (),
      map { "$_/nginx" } split( /:/, $ENV{PATH} ), '/usr/sbin', '/usr/local/sbin';
    my @command = ( $binary || 'nginx', '-p', "$self->{dir}/", '-c', 'conf/nginx.conf',
        '-e', 'logs/error.log' );
    return @command unless $self->{valgrind};
    return (
        qw(valgrind -q --num-callers=100 --tool=memcheck --leak-check=full),
        qw(--show-leak-kinds=definite --gen-suppressions=all),
        "--suppressions=$self->{root}/valgrind.suppress", @command
    );
}

# reload swaps the configuration of the running nginx, and makes sure of it:
# the new worker answers and the old one is gone.
sub reload {
    my ($self) = @_;
    $self->configure;
    kill HUP => $self->{pid};
    my $why = $self->await_generation( $self->{valgrind} ? 30 : 5 );
    return $why ? "failed to reload configuration: $why" : ();
}

# await_generation waits until the configuration last written is in force and
# no worker of an older one is left.
sub await_generation {
    my ( $self, $seconds ) = @_;
    my $deadline = Time::HiRes::time() + $seconds;
    while ( Time::HiRes::time() < $deadline ) {
        if ( waitpid( $self->{pid}, WNOHANG ) == $self->{pid} ) {
            delete $self->{pid};
            return "nginx ended" . $self->emergencies;
        }
        my $answer = Blocks::Http::request( $self->{port}, 'GET /.generation', 1 );
        if ( ( $answer->{body} || '' ) =~ /^\Q$self->{generation}\E (\d+)\n\z/ ) {
            my @workers = $self->workers;
            $self->{worker} = $1;
            return if @workers == 1 && $workers[0] == $1;
        }
        Time::HiRes::sleep(0.01);
    }
    return "generation $self->{generation} is not served after $seconds s" . $self->emergencies;
}

# emergencies are what nginx says of a configuration it refuses.
sub emergencies {
    my ($self) = @_;
    my @lines = grep { /\[emerg\]/ } $self->log_lines;
    return @lines ? ": @lines" : "";
}

# workers lists the processes below nginx.
sub workers {
    my ($self) = @_;
    open my $file, '<', "/proc/$self->{pid}/task/$self->{pid}/children" or return;
    return split ' ', <$file> || '';
}

sub worker { return $_[0]{worker} }

# mark_log makes log_lines start from here.
sub mark_log {
    my ($self) = @_;
    $self->{mark} = -s "$self->{dir}/logs/error.log" || 0;
    return;
}

# log_lines are the lines of error.log since the last mark.
sub log_lines {
    my ($self) = @_;
    open my $file, '<', "$self->{dir}/logs/error.log" or return;
    seek $file, $self->{mark}, 0;
    chomp( my @lines = <$file> );
    return @lines;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    $self->{mark} = 0;
    kill QUIT => $pid;
    my $deadline = Time::HiRes::time() + ( $self->{valgrind} ? 30 : 3 );
    while ( waitpid( $pid, WNOHANG ) == 0 ) {
        if ( Time::HiRes::time() > $deadline ) {
            print STDERR "WARNING: killing the child process $pid with force...\n";
            kill KILL => $pid;
            waitpid $pid, 0;
            last;
        }
        Time::HiRes::sleep(0.01);
    }
    unlink "$self->{dir}/logs/error.log";
    return;
}

# A script that dies must not leave nginx behind; its forked clients, which
# hold a copy of this object, must leave it alone.
sub DESTROY {
    my ($self) = @_;
    local ( $?, $@, $! );
    $self->stop if $self->{owner} == $$;
    return;
}

# configure writes nginx.conf. A single process would do for most blocks, but one
# that was handed its socket crashes (1.22.1): hence a master and one worker.
sub configure {
    my ($self) = @_;
    my $modules = '';
    for my $name (qw(ndk_http_module ngx_http_lua_module)) {
        my $path = "/usr/lib/nginx/modules/$name.so";
        $modules .= "load_module $path;\n" if -e $path;
    }
    my $user = $> == 0 ? 'user root;' : '';

    # A collector that waits for the heap to double looks like a leak for seconds.
    my $init = $self->{leak} ? q(init_by_lua_block { collectgarbage("setpause", 100) }) : "";
    open my $file, '>', "$self->{dir}/conf/nginx.conf" or die "nginx.conf: $!";
    print {$file} <<"CONF";
$modules
$user
daemon off;
worker_processes 1;
error_log logs/error.log info;
pid logs/nginx.pid;

events {
    worker_connections 64;
}

http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    lua_package_path '$self->{root}/lib/?.lua;;';
    lua_package_cpath '$self->{root}/build/?.so;;';
    $init
$self->{block}{http_config}

    server {
        listen 127.0.0.1:$self->{port};
        server_name localhost;

        location = /.generation {
            return 200 "$self->{generation} \$pid\\n";
        }

$self->{block}{config}
    }
}
CONF
    close $file or die "nginx.conf: $!";
    return;
}

1;
