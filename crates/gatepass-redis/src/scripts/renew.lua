local lease, token, term = KEYS[1], ARGV[1], ARGV[2]
if redis.call('GET', lease) ~= token then return {'lost'} end
redis.call('PEXPIRE', lease, term)
return {'held'}
