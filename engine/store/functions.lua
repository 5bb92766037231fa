#!lua name=jiesu
-- version 2
--
-- Everything jiesu writes to Redis, as functions: one call is one step, whole or absent. Redis keeps the
-- writes of a call together (MULTI/EXEC in the append-only file), so a crash never leaves half of one.
--
-- Every call may be made again. A create is known by its order's hash, a step by its id, a claim by its key:
-- the second call changes nothing and tells what the first one did.
--
-- Keys are declared, with one exception: a step removes the order's entry from the queue stream that the
-- order's hash names, and a queue read looks into the hashes of the orders it returns. Those keys carry the
-- hash tag of the declared ones (jiesu:{community}:...), so they live in the same slot.

-- jiesu_version: the number in the second line of this file.
local function version()
  return 2
end

-- jiesu_claim KEYS claim ARGV id body ttl -> {'claimed', id}: the key is new and now stands for this order;
-- {'same', id}: it was claimed with this body, for the order id; {'other', id}: with another body.
local function claim(keys, argv)
  local held = redis.call('HMGET', keys[1], 'id', 'body')
  if held[1] then
    return {held[2] == argv[2] and 'same' or 'other', held[1]}
  end
  redis.call('HSET', keys[1], 'id', argv[1], 'body', argv[2])
  redis.call('EXPIRE', keys[1], argv[3])
  return {'claimed', argv[1]}
end

-- A fence against half a transaction in the append-only file. When the file ends in the middle of a command inside
-- MULTI (a torn tail after a power cut), Redis 7.0 cuts it after the last whole command, and leaves the MULTI
-- open. What it did not carry out is right in memory, since we send it again; but at the next start the open MULTI
-- swallows what follows, its commands are carried out after all, and a queue entry would be there twice. All
-- else that we write is the same when it is written again. So the first create on each queue after a start of
-- Redis writes the queue as it is into the file, whole, which undoes what an open MULTI before it may do.
-- This table lives as long as the process of Redis does, which is just as long as it must.
local fenced = {}

local function fence(queue)
  if fenced[queue] then
    return
  end
  local image = redis.call('DUMP', queue)
  if image then
    redis.call('RESTORE', queue, 0, image, 'REPLACE')
  else
    redis.call('SET', queue, '')
    redis.call('DEL', queue)
  end
  fenced[queue] = true
end

-- jiesu_create KEYS order queue due ARGV wake ulid due_at n (field value) * n (field value) ...
-- -> {'created'}, or {'exists', answer, state, version} of the order that is there. The n pairs are the queue
-- entry, the rest the order's hash. What can fail (a key of another type) comes before the hash is written,
-- and a due date already set is taken back.
local function create(keys, argv)
  if redis.call('EXISTS', keys[1]) == 1 then
    local held = redis.call('HMGET', keys[1], 'answer', 'state', 'version')
    return {'exists', held[1], held[2], held[3]}
  end
  if argv[3] ~= '' then
    redis.call('ZADD', keys[3], argv[3], argv[2])
  end
  local hash = 5 + 2 * argv[4]
  fence(keys[2])
  local entry = redis.pcall('XADD', keys[2], 'NOMKSTREAM', '*', unpack(argv, 5, hash - 1))
  if not entry then -- a new stream: its consumer group is made with it
    redis.call('XGROUP', 'CREATE', keys[2], 'workers', '0', 'MKSTREAM')
    entry = redis.call('XADD', keys[2], '*', unpack(argv, 5, hash - 1))
  elseif entry.err then
    redis.call('ZREM', keys[3], argv[2])
    return entry
  end
  redis.call('HSET', keys[1], 'queue', keys[2], 'entry', entry, unpack(argv, hash))
  redis.call('PUBLISH', argv[1], argv[2])
  return {'created'}
end

-- The step ids refused last, newest first, in one field: a refused step that is sent again after a crash
-- must be refused again, though the state may allow it by then. The list is bounded, so that a client that
-- keeps asking for the impossible cannot grow the order.
local REFUSED = 1600

local function refuse(key, id, refused, state, at)
  redis.call('HSET', key, 'refused', string.sub(id .. ' ' .. (refused or ''), 1, REFUSED))
  return {'conflict', state, at}
end

local function has_word(list, sep, word)
  return list and string.find(sep .. list .. sep, sep .. word .. sep, 1, true) ~= nil
end

-- jiesu_step KEYS order due ARGV step id from target at worker version note
-- -> {'done', state, version}; {'replayed', state, version}: this id was taken before and led there;
-- {'conflict', state, version}: the state is none of `from` (comma list), the worker does not hold the order, the
-- version is not the expected one ('0': any), or this id was refused before; {'other', state, version}: the
-- same key came with another body before; {'missing'}: no such order. An id is "key" or "key.body".
local function step(keys, argv)
  local name, id, target, worker = argv[1], argv[2], argv[4], argv[6]
  local key, body = string.match(id, '^([^.]*)%.?(.*)$')
  local held = redis.call('HMGET', keys[1], 'state', 'version', 's:' .. key, 'refused', 'queue', 'entry',
    'worker')
  local state, at = held[1], held[2]
  if not state then
    return {'missing'}
  end
  if held[3] then
    local led, version, with = string.match(held[3], '^(%S+) (%S+) (%S*)$')
    return {with == body and 'replayed' or 'other', led, version}
  end
  if has_word(held[4], ' ', id) then
    return {'conflict', state, at}
  end
  if body ~= '' and string.find(' ' .. (held[4] or ''), ' ' .. key .. '.', 1, true) then
    return {'other', state, at}
  end
  -- Who accepts becomes the holder; every other step is the holder's to take.
  local holds = name == 'accept' or worker == held[7]
  if not holds or not has_word(argv[3], ',', state) or (argv[7] ~= '0' and argv[7] ~= at) then
    return refuse(keys[1], id, held[4], state, at)
  end
  local now = string.format('%d', at + 1)
  local history = '{"version":' .. now .. ',"step":"' .. name .. '","from":"' .. state .. '","to":"' .. target ..
    '","at":' .. argv[5] .. ',"worker":' .. cjson.encode(worker) ..
    (argv[8] ~= '' and ',"note":' .. argv[8] or '') .. '}'
  local fields = {'state', target, 'version', now, 's:' .. key, target .. ' ' .. now .. ' ' .. body,
    'h' .. now, history}
  if name == 'accept' then
    redis.call('XACK', held[5], 'workers', held[6])
    redis.call('XDEL', held[5], held[6])
    fields[9], fields[10] = 'worker', worker
  end
  if target == 'resolved' then
    redis.call('ZREM', keys[2], string.match(keys[1], '[^:]*$'))
  end
  redis.call('HSET', keys[1], unpack(fields))
  return {'done', target, now}
end

-- Entries of one stream for a consumer: from '0' those delivered to it and not acknowledged, from '>' new ones.
local function entries(queue, consumer, most, from)
  local got = redis.pcall('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', most, 'STREAMS', queue, from)
  if got and got.err then
    if not string.find(got.err, 'NOGROUP', 1, true) then
      error(got)
    end
    return {}
  end
  return got and got[1][2] or {}
end

-- jiesu_queue KEYS urgent normal ARGV consumer most -> the answers (JSON) of at most `most` orders: urgent
-- before normal, in each those delivered before, then new ones. An entry that was deleted, or whose order
-- is gone, is acknowledged and left out.
local function queue(keys, argv)
  local orders = string.match(keys[1], '^jiesu:{[^}]*}:') .. 'order:'
  local answers, most = {}, tonumber(argv[2])
  for _, stream in ipairs(keys) do
    for _, from in ipairs({'0', '>'}) do
      local want = most - #answers
      if want > 0 then
        for _, entry in ipairs(entries(stream, argv[1], want, from)) do
          -- The first field of an entry is `id`, "<community>.<ulid>".
          local ulid = entry[2] and string.match(entry[2][2], '[^.]*$')
          local answer = ulid and redis.call('HGET', orders .. ulid, 'answer')
          if answer then
            answers[#answers + 1] = answer
          else
            redis.call('XACK', stream, 'workers', entry[1])
          end
        end
      end
    end
  end
  return answers
end

redis.register_function{function_name = 'jiesu_version', callback = version, flags = {'no-writes'}}
redis.register_function('jiesu_claim', claim)
redis.register_function('jiesu_create', create)
redis.register_function('jiesu_step', step)
redis.register_function('jiesu_queue', queue)
