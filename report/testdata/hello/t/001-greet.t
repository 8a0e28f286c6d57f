use strict;
use warnings;
use lib 't/lib';
use Blocks;

run_blocks();

__DATA__

=== TEST 1: a plain greeting
--- config
    location = /hello {
        content_by_lua_block { require("hello").greet() }
    }
--- request
GET /hello
--- response_headers
Content-Language: en
--- response_body
hello, world
--- no_error_log
[error]



=== TEST 2: a greeting by name
--- config
    location = /hello {
        content_by_lua_block { require("hello").greet() }
    }
--- request
GET /hello?name=ada
--- response_body
hello, ada
--- no_error_log
[error]



=== TEST 3: a greeting in another language
--- config
    location = /hello {
        content_by_lua_block { require("hello").greet() }
    }
--- request
GET /hello?name=ada&lang=de
--- response_headers
Content-Language: de
--- response_body
hallo, ada
--- no_error_log
[error]



=== TEST 4: a name with markup is escaped
--- config
    location = /hello {
        content_by_lua_block { require("hello").greet() }
    }
--- request
GET /hello?name=%3Cb%3E%26
--- response_body
hello, &lt;b&gt;&amp;
--- no_check_leak



=== TEST 5: a language nobody speaks
--- config
    location = /hello {
        content_by_lua_block { require("hello").greet() }
    }
--- request
GET /hello?lang=tlh
--- error_code: 404
--- response_body
we do not speak that
--- no_check_leak
