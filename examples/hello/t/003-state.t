use strict;
use warnings;
use lib 't/lib';
use Blocks;

run_blocks();

__DATA__

=== TEST 1: a visitor is remembered
--- http_config
    lua_shared_dict visitors 64k;
--- config
    location = /visit {
        content_by_lua_block { require("hello").visit() }
    }
    location = /echo {
        content_by_lua_block { require("hello").echo() }
    }
--- request
GET /visit?name=ada
--- response_headers
Content-Type: text/plain
--- response_body
last: ada
--- no_error_log
[error]



=== TEST 2: a request with a body
--- http_config
    lua_shared_dict visitors 64k;
--- config
    location = /visit {
        content_by_lua_block { require("hello").visit() }
    }
    location = /echo {
        content_by_lua_block { require("hello").echo() }
    }
--- request
POST /echo
so it goes
--- response_body
SO IT GOES



=== TEST 3: the first visitor is number one
--- http_config
    lua_shared_dict visitors 64k;
--- config
    location = /number {
        content_by_lua_block { require("hello").number() }
    }
--- request
GET /number?name=ada
--- response_body
visitor number 1
--- no_check_leak



=== TEST 4: a text that is too long
--- config
    location = /shout {
        content_by_lua_block {
            local hello = require("hello")
            ngx.req.set_uri_args({ text = string.rep("x", 4097) })
            hello.shout()
        }
    }
    location = /fail {
        content_by_lua_block { error("no such greeting") }
    }
--- request
GET /shout
--- error_code: 400
--- response_body
too long: text
--- no_check_leak



=== TEST 5: a Lua error is logged
--- config
    location = /shout {
        content_by_lua_block {
            local hello = require("hello")
            ngx.req.set_uri_args({ text = string.rep("x", 4097) })
            hello.shout()
        }
    }
    location = /fail {
        content_by_lua_block { error("no such greeting") }
    }
--- request
GET /fail
--- error_code: 500
--- error_log
no such greeting
[error]
--- no_check_leak
