local channel, expected, by, value, expiry = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local version = version_of_record()
if not version then return {'damaged', record} end
if version ~= expected then
  -- The same call, sent again because the connection broke before the answer came.
  if version ~= '' and redis.call('HGET', record, 'by') == by then return {'written', version} end
  return {'changed'}
end
local new = version_after(version)
redis.call('HSET', record, 'version', new, 'by', by, 'value', value)
if expiry == '' then
  redis.call('PERSIST', record)
else
  redis.call('PEXPIRE', record, expiry)
end
tell(channel)
return {'written', new}
