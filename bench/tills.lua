-- Tills for wrk: each request is one look-up (or one direct call of the engine) of the next member.
-- Arguments: the kind of request, the seconds a till thinks, the file of members, and that of
-- bearers ("engine" takes the guid and the key in its place).

local mails, bearers = {}, {}
local kind, think, turn = nil, 0, 0

local function lines(path)
  local found = {}
  for line in io.lines(path) do found[#found + 1] = line end
  return found
end

local function encoded(text)
  return (text:gsub("[^%w._-]", function(c) return string.format("%%%02X", c:byte()) end))
end

local function engine_request(mail)
  return wrk.format("GET", wrk.path .. "?customer_email=" .. mail .. "&with_history=false")
end

local function panel_request(mail)
  wrk.headers["Authorization"] = "Bearer " .. bearers[turn % #bearers + 1]
  return wrk.format("POST", wrk.path, wrk.headers, "query=" .. mail)
end

local make = { engine = engine_request, panel = panel_request, naive = panel_request }

function init(args)
  kind, think = args[1], tonumber(args[2])
  for _, mail in ipairs(lines(args[3])) do mails[#mails + 1] = encoded(mail) end
  bearers = lines(args[4])
  math.randomseed(os.time())
  turn = math.random(#mails)
  if kind == "engine" then
    wrk.headers["x-guid"], wrk.headers["x-api-key"] = bearers[1], bearers[2]
  else
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    wrk.headers["HX-Request"] = "true"
    wrk.headers["Accept-Encoding"] = "gzip"
  end
end

function request()
  turn = turn + 1
  return make[kind](mails[turn % #mails + 1])
end

-- Milliseconds before a till's next request: half to one and a half times the mean, so that tills
-- don't march in step.
function delay()
  return math.floor(think * 1000 * (0.5 + math.random()))
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    "\nRESULT %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration, e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
