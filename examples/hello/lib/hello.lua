-- The application: one function for each location of nginx.
local ffi = require("ffi")
local languages = require("languages")
local visits = require("visits")

ffi.cdef([[
long greet_words(const char *text, size_t len);
void greet_shout(const char *text, size_t len, char *out);
void greet_reverse(const char *text, size_t len, char *out);
]])

local path = assert(package.searchpath("libgreet", package.cpath))
local native = ffi.load(path)

local _M = {}

local LONGEST = 4096

-- argument returns an argument of the query, or ends the request with 400
-- when it is too long for us.
local function argument(name, default)
    local value = ngx.req.get_uri_args()[name]
    if type(value) ~= "string" then
        return default
    end
    if #value > LONGEST then
        ngx.status = ngx.HTTP_BAD_REQUEST
        ngx.say("too long: ", name)
        return ngx.exit(ngx.HTTP_BAD_REQUEST)
    end
    return value
end

-- rewritten passes text through a native function that fills a buffer of the
-- same length.
local function rewritten(text, fill)
    local out = ffi.new("char[?]", math.max(#text, 1))
    fill(text, #text, out)
    return ffi.string(out, #text)
end

function _M.greet()
    local word = languages[argument("lang", "en")]
    if not word then
        ngx.status = ngx.HTTP_NOT_FOUND
        ngx.say("we do not speak that")
        return
    end
    local name = argument("name", "world")
    name = name:gsub("[<>&]", { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;" })
    ngx.header["Content-Language"] = argument("lang", "en")
    ngx.say(word, ", ", name)
end

function _M.words()
    local text = argument("text", "")
    ngx.say(tonumber(native.greet_words(text, #text)))
end

function _M.shout()
    ngx.say(rewritten(argument("text", ""), native.greet_shout))
end

function _M.reverse()
    ngx.say(rewritten(argument("text", ""), native.greet_reverse))
end

function _M.visit()
    visits.add(argument("name", "nobody"))
    ngx.say("last: ", table.concat(visits.last(), ", "))
end

function _M.number()
    ngx.say("visitor number ", visits.add(argument("name", "nobody")))
end

function _M.echo()
    ngx.req.read_body()
    ngx.say(rewritten(ngx.req.get_body_data() or "", native.greet_shout))
end

return _M
