local lease, seen, token, term = KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local version = version_of_record()
if not version then return {'damaged', record} end
if version ~= seen then return {'changed'} end
local kind = redis.call('TYPE', lease).ok
if kind ~= 'none' then
  if kind ~= 'string' then return {'damaged', lease} end
  if redis.call('GET', lease) ~= token then
    local left = redis.call('PTTL', lease)
    if left < 0 then return {'damaged', lease} end -- a lease always ends
    return {'taken', string.format('%.0f', left)}
  end
end
redis.call('SET', lease, token, 'PX', term)
return {'held'}
