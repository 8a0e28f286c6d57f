use strict;
use warnings;
use lib 't/lib';
use Blocks;

run_blocks();

__DATA__

=== TEST 1: words are counted
--- config
    location = /words {
        content_by_lua_block { require("hello").words() }
    }
--- request
GET /words?text=so+it+%09goes
--- response_body
3
--- no_error_log
[error]



=== TEST 2: no words at all
--- config
    location = /words {
        content_by_lua_block { require("hello").words() }
    }
--- request
GET /words
--- response_body
0
--- no_check_leak



=== TEST 3: shouting
--- config
    location = /shout {
        content_by_lua_block { require("hello").shout() }
    }
    location = /reverse {
        content_by_lua_block { require("hello").reverse() }
    }
--- request
GET /shout?text=so+it+goes
--- response_body
SO IT GOES
--- no_error_log
[error]



=== TEST 4: a text is reversed
--- config
    location = /shout {
        content_by_lua_block { require("hello").shout() }
    }
    location = /reverse {
        content_by_lua_block { require("hello").reverse() }
    }
--- request
GET /reverse?text=drawer
--- response_body
reward
