#!lua name=jiesu
-- version 3
--
-- Everything jiesu writes to Redis, as functions: one call is one step, whole or absent. Redis keeps the
-- writes of a call together (MULTI/EXEC in the append-only file), so a crash never leaves half of one.
--
-- Every call may be made again. A create is known by its order's hash, a step by its id, a claim by its key:
-- the second call changes nothing and tells what the first one did.
--
-- Keys are declared, with one exception: a step removes the order's entry from the queue stream that the
-- order's hash names and may put it into another worker's, and a queue read looks into the hashes of the orders
-- it returns. Those keys carry the hash tag of the declared ones (jiesu:{community}:...), so they live in the
-- same slot.

-- jiesu_version: the number in the second line of this file.
local function version()
  return 3
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

-- Adds an entry to a queue, whose consumer group is made with it. Returns the entry's id, or the error.
local function enqueue(queue, fields)
  fence(queue)
  local entry = redis.pcall('XADD', queue, 'NOMKSTREAM', '*', unpack(fields))
  if not entry then
    redis.call('XGROUP', 'CREATE', queue, 'workers', '0', 'MKSTREAM')
    entry = redis.call('XADD', queue, '*', unpack(fields))
  end
  return entry
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
  local entry = enqueue(keys[2], {unpack(argv, 5, hash - 1)})
  if entry.err then
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

local function refuse(key, id, refused, state, at, why)
  redis.call('HSET', key, 'refused', string.sub(id .. ' ' .. (refused or ''), 1, REFUSED))
  return {'conflict', state, at, why}
end

local function has_word(list, sep, word)
  return list and string.find(sep .. list .. sep, sep .. word .. sep, 1, true) ~= nil
end

-- Departments that were whistled for, as JSON in one field: when each is to report (0: it has; -n: it has, and
-- was given n stars). What is to be in the field for a verb to go on, and what it puts there.
local function party(old, value, wanted)
  local n, most, department = string.match(value, '^(%d+) (%d+) (.*)$')
  local parties, count = cjson.decode(old or '{}'), 0
  local held = parties[department]
  for _ in pairs(parties) do
    count = count + 1
  end
  if wanted == 'none' then
    if held or count >= tonumber(most) then
      return nil, held and 'again' or 'long'
    end
    parties[department] = tonumber(n)
  elseif not held or (wanted == 'reported' and held > 0) then
    return nil, 'absent'
  elseif held < 0 or (wanted == 'open' and held == 0) then
    return nil, 'again'
  else
    parties[department] = wanted == 'open' and 0 or -tonumber(n)
  end
  return cjson.encode(parties)
end

-- What a step does to one field of the order's hash: from what is there (or nil) and the value given, the new
-- value (nil: left alone, '': removed), or nil and what speaks against the step. peek reads another field.
local verbs = {
  set = function(_, value) return value end,
  once = function(old, value) return not old and value or nil end,
  new = function(old, value)
    if old then return nil, 'again' end
    return value
  end,
  drop = function() return '' end,
  add = function(old, value) return string.format('%d', (old or 0) + value) end,
  raise = function(old, value) return (not old or tonumber(old) < tonumber(value)) and value or nil end,
  lift = function(old, value, peek)
    local other = peek(value)
    return other and (not old or tonumber(old) < tonumber(other)) and other or nil
  end,
  need = function(old) return nil, not old and 'absent' or nil end,
  lack = function(old) return nil, old and 'again' or nil end,
  by = function(old, value) return nil, (not old or tonumber(value) > tonumber(old)) and 'late' or nil end,
  open = function(old, value) return party(old, value, 'none') end,
  report = function(old, value) return party(old, value, 'open') end,
  rate = function(old, value) return party(old, value, 'reported') end,
}

-- Goes through (verb field value) * from argv[first] on without writing: the changed fields, or nil and why not.
local function plan(key, argv, first, at)
  local changes = {}
  local function peek(field)
    local new = changes[field]
    if new == '' then return nil end
    return new or redis.call('HGET', key, field) or nil
  end
  for i = first, #argv, 3 do
    local verb, field, value = argv[i], argv[i + 1], argv[i + 2]
    local new, why = verbs[verb](peek(field), value == '@' and at or value, peek)
    if why then
      return nil, why
    end
    changes[field] = new or changes[field]
  end
  return changes
end

-- The next deadline: of the pairs "due:met" those that are due and not met, and of the departments that have not
-- reported when the list ends with "parties".
local function next_due(key, list)
  local due, names = nil, {}
  for by, met in string.gmatch(list, '([%w_]+):([%w_]*)') do
    names[#names + 1], names[#names + 2] = by, met == '' and 'none' or met
  end
  local held = redis.call('HMGET', key, 'parties', unpack(names))
  for i = 2, #held, 2 do
    local by = not held[i + 1] and tonumber(held[i] or nil)
    due = by and math.min(by, due or by) or due
  end
  if held[1] and has_word(list, ',', 'parties') then
    for _, by in pairs(cjson.decode(held[1])) do
      due = by > 0 and math.min(by, due or by) or due
    end
  end
  return due
end

-- Puts the order into a worker's queue, with what the entry said at its creation.
local ENTRY = {'urgency', 'category', 'kind', 'grid', 'created_at', 'respond_by'}

local function requeue(key, worker, urgent)
  local prefix, community, ulid = string.match(key, '^(jiesu:{([^}]*)}:)order:(.*)$')
  local held, fields = redis.call('HMGET', key, unpack(ENTRY)), {'id', community .. '.' .. ulid}
  for i, name in ipairs(ENTRY) do
    if held[i] then
      fields[#fields + 1], fields[#fields + 2] = name, held[i]
    end
  end
  local queue = prefix .. 'q:' .. worker .. (urgent and ':urgent' or '')
  return queue, enqueue(queue, fields), prefix .. 'wake:' .. worker
end

-- The post after the holder's in the list of posts; the last one for who holds none of them.
local function next_post(posts, holder, last)
  local found, worker = false, holder
  for post in string.gmatch(posts or '', '%S+') do
    if found and not last then
      return post
    end
    found, worker = post == holder, post
  end
  return worker
end

-- jiesu_step KEYS order due [index] ARGV step id by worker rule from target at strict version most queue over due
-- note (verb field value) ...
-- -> {'done', state, version}; {'replayed', state, version}: this id was taken before and led there;
-- {'conflict', state, version, why}; {'other', state, version}: the same key came with another body before;
-- {'missing'}: no such order. An id is "key" or "key.body".
--   rule     'holder': worker must hold the order; 'taker': it becomes the holder; 'any'
--   from     states it may be taken in (comma list); target: the state it leads to, '': the same
--   at       when; strict '1': not before the last step, else it counts as then; '@' as a value stands for it
--   version  the order's version must be this ('0': any); most: and below this one ('': any)
--   queue    the order goes into the queue of: '=' its holder, '>' the next post, a worker; '': of none
--   over     "field most state": when the field is not below most, the order goes to the last post in that state
--   due      the clocks that run then ("due:met,...", see next_due), '': none, '-': as before
--   index    a sorted set in which the order is put by time

-- What is in the order's hash, by name; nil when there is no order.
local HELD = {'state', 'version', 'refused', 'queue', 'entry', 'worker', 'last_at', 'created_at', 'posts', 'urgent'}

local function read_order(key)
  local values, held = redis.call('HMGET', key, unpack(HELD)), {}
  for i, name in ipairs(HELD) do
    held[name] = values[i] or nil
  end
  held.last = tonumber(held.last_at or held.created_at or 0)
  return held.state and held
end

-- The answer to an id that came before, or nil.
local function answer_again(order, held, id)
  local key, body = string.match(id, '^([^.]*)%.?(.*)$')
  local taken = redis.call('HGET', order, 's:' .. key)
  if taken then
    local led, version, with = string.match(taken, '^(%S+) (%S+) (%S*)$')
    return {with == body and 'replayed' or 'other', led, version}
  end
  if has_word(held.refused, ' ', id) then
    return {'conflict', held.state, held.version, 'refused'}
  end
  if body ~= '' and string.find(' ' .. (held.refused or ''), ' ' .. key .. '.', 1, true) then
    return {'other', held.state, held.version}
  end
end

-- What speaks against a step, whatever it does; false: nothing.
local function objection(held, argv)
  return not has_word(argv[6], ',', held.state) and 'state'
    or argv[5] == 'holder' and argv[4] ~= held.worker and 'holder'
    or argv[10] ~= '0' and argv[10] ~= held.version and 'version'
    or argv[9] == '1' and tonumber(argv[8]) < held.last and 'time'
    or argv[11] ~= '' and tonumber(held.version) >= tonumber(argv[11]) and 'long'
end

-- Where a step leads: the state, the holder, and whether the holder is to find it in a queue.
local function destination(order, held, argv)
  local to = argv[12]
  if argv[13] ~= '' then
    local field, most, state = string.match(argv[13], '^(%S+) (%S+) (%S+)$')
    if tonumber(redis.call('HGET', order, field) or 0) >= tonumber(most) then
      return state, next_post(held.posts, held.worker, true), true
    end
  end
  local holder = argv[5] == 'taker' and argv[4] or held.worker
  if to == '>' then
    holder = next_post(held.posts, holder)
  elseif to ~= '' and to ~= '=' then
    holder = to
  end
  return argv[7] ~= '' and argv[7] or held.state, holder, to ~= ''
end

local function history(held, argv, target, holder, version, at)
  return '{"version":' .. version .. ',"step":"' .. argv[1] .. '","from":"' .. held.state .. '","to":"' .. target ..
    '","at":' .. at .. ',"by":"' .. argv[3] .. '"' ..
    (argv[4] ~= '' and ',"worker":' .. cjson.encode(argv[4]) or '') .. ',"holder":' .. cjson.encode(holder) ..
    (argv[15] ~= '' and ',"note":' .. argv[15] or '') .. '}'
end

-- Writes fields; an empty one is removed.
local function write(key, changes)
  local fields = {}
  for field, value in pairs(changes) do
    if value == '' then
      redis.call('HDEL', key, field)
    else
      fields[#fields + 1], fields[#fields + 2] = field, value
    end
  end
  redis.call('HSET', key, unpack(fields))
end

local function set_due(order, set, list, member)
  local due = next_due(order, list)
  if due then
    redis.call('ZADD', set, string.format('%d', due), member)
  else
    redis.call('ZREM', set, member)
  end
end

local function step(keys, argv)
  local order, id, held = keys[1], argv[2], read_order(keys[1])
  if not held then
    return {'missing'}
  end
  local again = answer_again(order, held, id)
  if again then
    return again
  end
  if #argv < 15 then
    return redis.error_reply('ERR a step in the form of an older engine')
  end
  local at, why, changes = string.format('%d', math.max(held.last, argv[8])), objection(held, argv), nil
  if not why then
    changes, why = plan(order, argv, 16, at)
  end
  if why then
    return refuse(order, id, held.refused, held.state, held.version, why)
  end
  local target, holder, queued = destination(order, held, argv)
  local version, member = string.format('%d', held.version + 1), string.match(order, '[^:]*$')
  local wake
  if queued then -- first, because it may fail
    changes.queue, changes.entry, wake = requeue(order, holder, held.urgent == '1')
    if changes.entry.err then
      return changes.entry
    end
  end
  if held.entry and (queued or target ~= held.state) then
    redis.call('XACK', held.queue, 'workers', held.entry)
    redis.call('XDEL', held.queue, held.entry)
    changes.entry = changes.entry or ''
  end
  local key, body = string.match(id, '^([^.]*)%.?(.*)$')
  changes.state, changes.version, changes.worker, changes.last_at = target, version, holder, at
  changes['s:' .. key] = target .. ' ' .. version .. ' ' .. body
  changes['h' .. version] = history(held, argv, target, holder, version, at)
  write(order, changes)
  if argv[14] ~= '-' then
    set_due(order, keys[2], argv[14], member)
  end
  if keys[3] then
    redis.call('ZADD', keys[3], at, member)
  end
  if queued then
    redis.call('PUBLISH', wake, member)
  end
  return {'done', target, version}
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
          local held = ulid and redis.call('HMGET', orders .. ulid, 'answer', 'state')
          if held and held[1] then
            -- As it was answered at creation, but for its state: the first member of that name is its own.
            answers[#answers + 1] =
              (string.gsub(held[1], '"status":"dispatched"', '"status":"' .. held[2] .. '"', 1))
          else
            redis.call('XACK', stream, 'workers', entry[1])
          end
        end
      end
    end
  end
  return answers
end

-- ---- events: who reads them, how far, and how long they stay; figures ----

-- jiesu_lease KEYS lease ARGV holder ms -> 1: the holder has the lease for so long from now; 0: another has it.
-- With ms '0' the holder gives it back (0).
local function lease(keys, argv)
  local held = redis.call('GET', keys[1])
  if held and held ~= argv[1] then
    return 0
  end
  if argv[2] == '0' then
    redis.call('DEL', keys[1])
    return 0
  end
  redis.call('SET', keys[1], argv[1], 'PX', argv[2])
  return 1
end

-- jiesu_cursor KEYS cursors events ARGV consumer start -> the id of the last event that the consumer has dealt
-- with. A new consumer begins at start: '$' behind the newest event, else an id.
local function cursor(keys, argv)
  local held = redis.call('HGET', keys[1], argv[1])
  if not held then
    local newest = argv[2] == '$' and redis.call('XREVRANGE', keys[2], '+', '-', 'COUNT', 1)
    held = not newest and argv[2] or newest[1] and newest[1][1] or '0-0'
    redis.call('HSET', keys[1], argv[1], held)
  end
  return held
end

-- jiesu_move KEYS cursors ARGV consumer expected next -> 1: the cursor stood there and was moved; 0: it did not.
local function move(keys, argv)
  if redis.call('HGET', keys[1], argv[1]) ~= argv[2] then
    return 0
  end
  redis.call('HSET', keys[1], argv[1], argv[3])
  return 1
end

-- jiesu_consumers KEYS cursors ARGV consumer ... -> how many others were there; their cursors are dropped.
local function consumers(keys, argv)
  local wanted, dropped = {}, 0
  for _, name in ipairs(argv) do
    wanted[name] = true
  end
  for _, name in ipairs(redis.call('HKEYS', keys[1])) do
    if not wanted[name] then
      dropped = dropped + redis.call('HDEL', keys[1], name)
    end
  end
  return dropped
end

local function id_before(a, b)
  local a_ms, a_n = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_n = string.match(b, '^(%d+)-(%d+)$')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  return a_ms < b_ms or a_ms == b_ms and tonumber(a_n) < tonumber(b_n)
end

-- jiesu_trim KEYS events cursors ARGV kept most -> {length, removed}: of the events beyond the newest `kept`, at
-- most `most` go, the oldest first, and none that a consumer has still to read. Without any consumer none.
local function trim(keys, argv)
  local length = redis.call('XLEN', keys[1])
  local over = math.min(length - argv[1], tonumber(argv[2]))
  local cursors = redis.call('HVALS', keys[2])
  if over <= 0 or #cursors == 0 then
    return {length, 0}
  end
  local oldest = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', over + 1)
  local first = oldest[#oldest][1]
  for _, id in ipairs(cursors) do
    first = id_before(id, first) and id or first
  end
  local removed = redis.call('XTRIM', keys[1], 'MINID', first)
  return {length - removed, removed}
end

-- ---- webhooks: dead letters ----

-- jiesu_hook_begin KEYS cursors ARGV consumer age -> the consumer's cursor. A new one begins with what came into the
-- stream `age` ms ago.
local function hook_begin(keys, argv)
  local held = redis.call('HGET', keys[1], argv[1])
  if not held then
    local now = redis.call('TIME')
    held = string.format('%d-0', math.max(0, now[1] * 1000 + math.floor(now[2] / 1000) - argv[2]))
    redis.call('HSET', keys[1], argv[1], held)
  end
  return held
end

-- jiesu_bury KEYS dead complaints ARGV most force complaint version (field value) ... -> 1: the letter is among the
-- dead ones (once, whoever says it again); 0: with force '0', the complaint has no dead letters; -1: there
-- are `most` already. `complaints` holds "letters version-of-the-newest" for each complaint that has some.
local function bury(keys, argv)
  local held = redis.call('HGET', keys[2], argv[3])
  if not held and argv[2] == '0' then
    return 0
  end
  local letters, newest = string.match(held or '0 0', '^(%d+) (%d+)$')
  if tonumber(argv[4]) <= tonumber(newest) then
    return 1
  end
  if redis.call('XLEN', keys[1]) >= tonumber(argv[1]) then
    return -1
  end
  redis.call('XADD', keys[1], '*', unpack(argv, 5))
  redis.call('HSET', keys[2], argv[3], string.format('%d %d', letters + 1, argv[4]))
  return 1
end

-- jiesu_unbury KEYS dead complaints replay ARGV complaint letter -> how many dead letters the complaint still has,
-- after this one was delivered. With the last one its mark for replaying goes too.
local function unbury(keys, argv)
  local gone = redis.call('XDEL', keys[1], argv[2])
  local letters, newest = string.match(redis.call('HGET', keys[2], argv[1]) or '0 0', '^(%d+) (%d+)$')
  letters = letters - gone
  if letters > 0 then
    redis.call('HSET', keys[2], argv[1], string.format('%d %d', letters, newest))
    return letters
  end
  redis.call('HDEL', keys[2], argv[1])
  redis.call('SREM', keys[3], argv[1])
  return 0
end

-- jiesu_hook_replay KEYS complaints replay ARGV complaint -> how many complaints are marked to be replayed: this one,
-- when it has dead letters, or with '' all that have some.
local function hook_replay(keys, argv)
  local marked = 0
  for _, complaint in ipairs(argv[1] == '' and redis.call('HKEYS', keys[1]) or {argv[1]}) do
    if redis.call('HEXISTS', keys[1], complaint) == 1 then
      redis.call('SADD', keys[2], complaint)
      marked = marked + 1
    end
  end
  return marked
end

-- jiesu_hook_state KEYS state dead complaints replay events cursors lease ARGV consumer -> {what the deliverer said of
-- itself, dead letters, their complaints, of those marked for replaying, newest event, cursor, who delivers}.
local function hook_state(keys, argv)
  local newest = redis.call('XREVRANGE', keys[5], '+', '-', 'COUNT', 1)[1]
  return {redis.call('GET', keys[1]) or '', redis.call('XLEN', keys[2]), redis.call('HLEN', keys[3]),
    redis.call('SCARD', keys[4]), newest and newest[1] or '', redis.call('HGET', keys[6], argv[1]) or '',
    redis.call('GET', keys[7]) or ''}
end

redis.register_function{function_name = 'jiesu_version', callback = version, flags = {'no-writes'}}
redis.register_function('jiesu_claim', claim)
redis.register_function('jiesu_create', create)
redis.register_function('jiesu_step', step)
redis.register_function('jiesu_queue', queue)
redis.register_function('jiesu_lease', lease)
redis.register_function('jiesu_cursor', cursor)
redis.register_function('jiesu_move', move)
redis.register_function('jiesu_consumers', consumers)
redis.register_function('jiesu_trim', trim)
redis.register_function('jiesu_hook_begin', hook_begin)
redis.register_function('jiesu_bury', bury)
redis.register_function('jiesu_unbury', unbury)
redis.register_function('jiesu_hook_replay', hook_replay)
redis.register_function{function_name = 'jiesu_hook_state', callback = hook_state, flags = {'no-writes'}}
