local lease, token, channel = KEYS[1], ARGV[1], ARGV[2]
if redis.call('GET', lease) ~= token then return {'lost'} end
redis.call('DEL', lease)
redis.pcall('PUBLISH', channel, 'released')
return {'released'}
