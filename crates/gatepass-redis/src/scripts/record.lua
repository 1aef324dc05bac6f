-- Goes before the scripts that look at a record: a hash of `version`, `value` (none once it was removed) and `by`, the name of
-- the call that wrote it.

local record = KEYS[1]

-- As text; '' when there is none, nil when the key holds something else.
local function version_of_record()
  local kind = redis.call('TYPE', record).ok
  if kind == 'none' then return '' end
  if kind ~= 'hash' then return nil end
  local version = redis.call('HGET', record, 'version')
  -- A Lua number is a double. Microseconds since 1970 fit in one until the year 2255.
  local number = version and string.match(version, '^[1-9]%d*$') and tonumber(version)
  if number and number < 2^53 then return version end
  return nil
end

-- A key that was forgotten goes on where it ended, since time has.
local function version_after(last)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  return string.format('%.0f', math.max(now, (tonumber(last) or 0) + 1))
end

-- A user who may not publish has still written; the waiters look again by themselves.
local function tell(channel)
  redis.pcall('PUBLISH', channel, 'changed')
end
