"""The sliding log: for each window a list of the times of its hits, newest first.

KEYS: one a window. ARGV: what the hit costs (0: only look), then limit and length in milliseconds
of each window. Answers whether it passes, the index of the window that tells most, its hits now,
the milliseconds until it would pass, and those until the window is empty.

A list holds as many times as the limit at most, so that everything is done at its two ends. The
clock is the server's; one that was set back counts as standing still.
"""

SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local cost = tonumber(ARGV[1])
local asked = math.max(cost, 1)
local allowed, chosen, least = 1, 0, nil
local used, wait, reset = {}, {}, {}
for i, key in ipairs(KEYS) do
  local limit, length = tonumber(ARGV[i * 2]), tonumber(ARGV[i * 2 + 1])
  local newest = tonumber(redis.call('LINDEX', key, 0) or now)
  local at = math.max(now, newest)
  local oldest = tonumber(redis.call('LINDEX', key, -1) or at)
  while redis.call('LLEN', key) > 0 and oldest <= at - length do
    redis.call('RPOP', key)
    oldest = tonumber(redis.call('LINDEX', key, -1) or at)
  end
  local count = redis.call('LLEN', key)
  used[i], wait[i], reset[i] = count, 0, 0
  if count > 0 then
    reset[i] = math.min(newest, at) + length - at
  end
  local over = count + asked - limit
  if over > 0 then
    local blocking = tonumber(redis.call('LINDEX', key, -math.min(over, math.max(count, 1))) or at)
    wait[i] = math.max(1, blocking + length - at)
    if allowed == 1 or wait[i] > wait[chosen] then chosen = i end
    allowed = 0
  elseif allowed == 1 and (least == nil or limit - count < least) then
    least, chosen = limit - count, i
  end
end
if allowed == 1 and cost > 0 then
  for i, key in ipairs(KEYS) do
    local length = tonumber(ARGV[i * 2 + 1])
    local at = math.max(now, tonumber(redis.call('LINDEX', key, 0) or now))
    for _ = 1, cost do redis.call('LPUSH', key, string.format('%d', at)) end
    redis.call('PEXPIRE', key, length)
    used[i], reset[i] = used[i] + cost, length
  end
end
return {allowed, chosen - 1, used[chosen], wait[chosen], reset[chosen]}
"""
