-- Counts the visitors of all workers and remembers the last few of this one.
local _M = {}

local KEPT = 3
local cards = {}

-- card is what we keep of a visitor: a text to print on the wall.
local function card(number, name)
    local rule = string.rep("=", 78)
    return table.concat({
        rule,
        string.format("visitor %08d: %s", number, name),
        string.rep("*", 1024),
        rule,
    }, "\n")
end

-- add remembers a visitor and returns the visitor's number.
function _M.add(name)
    local count = assert(ngx.shared.visitors:incr("count", 1, 0))
    cards[#cards + 1] = { name = name, card = card(count, name) }
    if #cards > KEPT then
        table.remove(cards, 1)
    end
    return count
end

-- last returns the names of the last few visitors, newest first.
function _M.last()
    local names = {}
    for i = #cards, math.max(1, #cards - KEPT + 1), -1 do
        names[#names + 1] = cards[i].name
    end
    return names
end

return _M
