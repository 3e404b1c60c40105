-- Many visitors: takes each Set-Cookie that /seed answered (a file of response headers), and sends the cookies in turn.
local requests, turn = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local cookie = line:match("^[Ss]et%-[Cc]ookie: ([^;]+)")
    if cookie then
      requests[#requests + 1] = wrk.format("GET", wrk.path, { ["Host"] = "localhost", ["Cookie"] = cookie })
    end
  end
  if #requests == 0 then error("no Set-Cookie in " .. args[1]) end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format("RESULT %d %.3f %d %d %d\n", summary.requests, summary.duration / 1e6, failed, latency:percentile(50), latency:percentile(99)))
end
