-- All buckets of one request: none is touched unless each has enough.
-- KEYS: one a bucket. ARGV: four a bucket: kind, cost, and
--   r  step and tolerance of a rate, in microseconds   (GCRA; the value is when it is full again)
--   d  the most in a day of UTC, and nothing           (the value is what was used)
--   a  nothing and nothing: what was used already is added to a day
-- Answers {0, 0}, or which one has not enough and the microseconds until it is worth asking again.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local midnight = (math.floor(time[1] / 86400) + 1) * 86400000000
local new = {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4
  local kind, cost = ARGV[at + 1], tonumber(ARGV[at + 2])
  local most, tolerance = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local value = tonumber(redis.call('GET', key) or 0) or 0
  if kind == 'r' then
    local full = math.max(value, now) + cost * most
    if full - now > tolerance then
      return {i, full - now - tolerance}
    end
    new[i] = full
  else
    if kind == 'd' and value + math.max(cost, 1) > most then
      return {i, midnight - now}
    end
    new[i] = math.min(value + cost, 9007199254740991)
  end
end
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4
  local lasts = midnight - now
  if ARGV[at + 1] == 'r' then
    lasts = new[i] - now
  end
  if tonumber(ARGV[at + 2]) > 0 and lasts > 0 then
    redis.call('SET', key, string.format('%.0f', new[i]), 'PX', math.ceil(lasts / 1000))
  end
end
return {0, 0}
