local channel, by, tombstone = ARGV[1], ARGV[2], ARGV[3]
local version = version_of_record()
if not version then return {'damaged', record} end
if version ~= '' and redis.call('HGET', record, 'by') == by then return {'written', version} end
-- First what may be refused for want of memory.
local new = version_after(version)
redis.call('HSET', record, 'version', new, 'by', by)
redis.call('HDEL', record, 'value')
redis.call('PEXPIRE', record, tombstone)
tell(channel)
return {'written', new}
