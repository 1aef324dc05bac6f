local version = version_of_record()
if not version then return {'damaged', record} end
if version == '' then return {'nothing'} end
local value = redis.call('HGET', record, 'value')
if value then return {'kept', version, value} end
return {'removed', version}
