-- A POS's server for wrk: each request reports a sale of the next member, under an id of its own.
-- Arguments: the kind ("panel" or "bare"), the file of members, and that of the API key.

local mails, run, turn = {}, nil, 0

function init(args)
  for line in io.lines(args[2]) do mails[#mails + 1] = line end
  for line in io.lines(args[3]) do wrk.headers["Authorization"] = "Bearer " .. line end
  wrk.headers["Content-Type"] = "application/json"
  math.randomseed(os.time())
  run = os.time() .. "-" .. math.random(1e9)
end

function request()
  turn = turn + 1
  return wrk.format("POST", wrk.path, wrk.headers, string.format(
    '{"id": "%s-%d", "completed_at": "2026-05-02T12:00:00Z", "total_cents": 4200, ' ..
    '"currency": "USD", "email": "%s", "store": "boston", "till": "1", "associate": "ana"}',
    run, turn, mails[turn % #mails + 1]))
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    "\nRESULT %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration, e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
