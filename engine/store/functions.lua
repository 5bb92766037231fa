#!lua name=jiesu
-- version 6
--
-- Everything jiesu writes to Redis, as functions: one call is one step, whole or absent. Redis keeps the
-- writes of a call together (MULTI/EXEC in the append-only file), so a crash never leaves half of one.
--
-- Every call may be made again. A create is known by its order's hash, a step by its id: the second call
-- changes nothing and tells what the first one did.
--
-- Keys are declared, but for those that only the order's hash names, or that belong to a worker who is known
-- only when the step is taken: the queues it leaves and enters, the notices of who is told, the counts of who
-- holds it, the lists of warned orders; and a read of a queue, or of what is due, looks into the hashes of the
-- orders it returns. Those keys carry the hash tag of the declared ones (jiesu:{community}:...), so they live in
-- the same slot.

-- jiesu_version: the number in the second line of this file.
local function version()
  return 6
end

local function has_word(list, sep, word)
  return list and string.find(sep .. list .. sep, sep .. word .. sep, 1, true) ~= nil
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

-- What the hash of the order that an entry of a queue is for says, {answer, state, ...}; nothing when the entry was
-- deleted, or when its order is gone or does not name it.
local function owner(orders, queue, entry)
  -- The first field of an entry is `id`, "<community>.<ulid>".
  local ulid = entry[2] and string.match(entry[2][2], '[^.]*$')
  local held = ulid and redis.call('HMGET', orders .. ulid, 'answer', 'state', 'entries', 'entry')
  return held and ((held[4] or '') ~= '' or has_word(held[3] or nil, ' ', queue .. ' ' .. entry[1])) and held
end

local function discard(queue, entry)
  redis.call('XACK', queue, 'workers', entry)
  redis.call('XDEL', queue, entry)
end

-- Takes entries that are nobody's out of a queue. When Redis is killed once more before a torn call (see fence) was
-- made again, but after a transaction of another, its open MULTI is carried out: the entry is in the queue, and the
-- hash that would name it is not there. No entry comes in behind it before the fence is set; so this is
-- done just before that, and needs to look at the newest entries only.
local NEWEST = 16

local function sweep(queue)
  local orders = string.match(queue, '^jiesu:{[^}]*}:') .. 'order:'
  local newest = redis.pcall('XREVRANGE', queue, '+', '-', 'COUNT', NEWEST)
  for _, entry in ipairs(newest) do -- none in an error, which XADD is going to tell
    if not owner(orders, queue, entry) then
      discard(queue, entry[1])
    end
  end
end

-- Adds an entry to a queue, whose consumer group is made with it. Returns the entry's id, or the error.
local function enqueue(queue, fields)
  if not fenced[queue] then
    sweep(queue)
    fence(queue)
  end
  local entry = redis.pcall('XADD', queue, 'NOMKSTREAM', '*', unpack(fields))
  if not entry then
    redis.call('XGROUP', 'CREATE', queue, 'workers', '0', 'MKSTREAM')
    entry = redis.call('XADD', queue, '*', unpack(fields))
  end
  return entry
end

-- Takes an order out of the queues it is in: "queue entry queue entry ...".
local function dequeue(entries)
  for queue, entry in string.gmatch(entries or '', '(%S+) (%S+)') do
    discard(queue, entry)
  end
end

-- Looks whether an order is in the queues that its hash names, and puts it there (by `put`) where it is not. A call
-- that is made again is the time to look: after a crash in an unlucky moment the hash may be there, and the
-- queue as the fence wrote it, before.
local function mend(order, entries, put)
  local names, mended = {}, false
  for queue, entry in string.gmatch(entries or '', '(%S+) (%S+)') do
    if #redis.call('XRANGE', queue, entry, entry) == 0 then
      local new = put(queue)
      if not new.err then -- else it stays as it is named, for the next time
        entry, mended = new, true
      end
    end
    names[#names + 1] = queue .. ' ' .. entry
  end
  if mended then
    redis.call('HSET', order, 'entries', table.concat(names, ' '))
  end
end

-- The states of an order that is no more held by anyone.
local DONE = {resolved = true, closed = true, cancelled = true}

local function add_open(key, worker, by)
  local n = (redis.call('HGET', key, worker) or 0) + by
  if n > 0 then
    redis.call('HSET', key, worker, string.format('%d', n))
  else
    redis.call('HDEL', key, worker)
  end
end

-- Keeps `open`, how many orders each worker holds that are not done, and `idle`, when one came to a worker last.
-- The counts are written as they then are, not added to: what an open MULTI (see fence) carries out late is
-- then corrected by what comes behind it.
local function count(prefix, before, after, came, at)
  if before ~= after then
    if before then add_open(prefix .. 'open', before, -1) end
    if after then add_open(prefix .. 'open', after, 1) end
  end
  if after and came then
    redis.call('HSET', prefix .. 'idle', after, at)
  end
end

-- Tells all who follow the community (figures, webhooks) of one step: what it was, and what the order is now.
-- There is no fence around this stream, which is long: in the rare case that the fence is for, an event may be
-- there twice. A reader knows it by its order and version.
-- What happened stands in one field, a line for each fact (events.c), because every word that is handed to Redis
-- costs as much as the stream it goes into: a tenth of a create.
local FACTS = {'urgency', 'kind', 'grid', 'class', 'special', 'category'}

local function announce(events, ulid, version, step, at, by, from, to, worker, entry, order)
  local facts = {version, step, at, by, from, to, worker}
  for _, name in ipairs(FACTS) do
    facts[#facts + 1] = order[name] or ''
  end
  redis.call('XADD', events, '*', 'order', ulid, 'facts', table.concat(facts, '\n'), 'entry', entry)
end

-- Leaves a notice for each of the workers named, and wakes them. Old notices go when there are many. There needs to
-- be no fence: the file says of each how long the stream then was, so what an open MULTI puts in twice is
-- trimmed by what comes behind it.
local NOTICES = 1000

local function tell(prefix, workers, community, ulid, step, version, at, note)
  for worker in string.gmatch(workers, '%S+') do
    local stream = prefix .. 'notices:' .. worker
    redis.call('XADD', stream, 'MAXLEN', '~', NOTICES, '*', 'id', community .. '.' .. ulid, 'step', step,
      'version', version, 'at', at, 'note', note)
    redis.call('PUBLISH', prefix .. 'wake:' .. worker, ulid)
  end
end

-- jiesu_create KEYS order queue due events ARGV wake ulid due_at n (field value) * n (field value) ...
-- -> {'created'}, or {'exists', answer, state, version} of the order that is there. The n pairs are the queue
-- entry, the rest the order's hash; due_at is when to look at it first ('': never). The hash is written last:
-- what can fail (a key of another type) comes before it, with a due date already set taken back, and of a
-- call that the file holds only in part (see fence) the order is the last to appear.
local function create(keys, argv)
  local first, order = 5 + 2 * argv[4], {}
  local fields = {unpack(argv, 5, first - 1)}
  if redis.call('EXISTS', keys[1]) == 1 then
    local held = redis.call('HMGET', keys[1], 'answer', 'state', 'version', 'entries')
    mend(keys[1], held[4], function(queue) return enqueue(queue, fields) end)
    return {'exists', held[1], held[2], held[3]}
  end
  if argv[3] ~= '' then
    redis.call('ZADD', keys[3], argv[3], argv[2])
  end
  local entry = enqueue(keys[2], fields)
  if entry.err then
    redis.call('ZREM', keys[3], argv[2])
    return entry
  end
  for i = first, #argv, 2 do
    order[argv[i]] = argv[i + 1]
  end
  local prefix, at = string.match(keys[1], '^(.*)order:'), order.created_at or ''
  count(prefix, nil, order.worker, true, at)
  announce(keys[4] or prefix .. 'events', argv[2], order.version, 'create', at, 'engine', '', order.state,
    order.worker, order.h1 or '', order)
  redis.call('HSET', keys[1], 'entries', keys[2] .. ' ' .. entry, unpack(argv, first))
  redis.call('PUBLISH', argv[1], argv[2])
  return {'created'}
end

-- jiesu_claim KEYS (those of jiesu_create) claim ARGV (those of jiesu_create) value ttl -> as jiesu_create, once the
-- idempotency key stands for this order; {'claimed', value} and nothing done when it stands for another. The key is
-- of no community, so this is for a single server; in a Cluster the claim is a SET of its own.
local function claim(keys, argv)
  local key, ttl, value = table.remove(keys), table.remove(argv), table.remove(argv)
  local held = redis.call('SET', key, value, 'NX', 'GET', 'EX', ttl)
  if held and held ~= value then
    return {'claimed', held}
  end
  local answer = create(keys, argv)
  if answer.err and not held then
    redis.call('DEL', key)
  end
  return answer
end

-- The step ids refused last, newest first, in one field: a refused step that is sent again after a crash
-- must be refused again, though the state may allow it by then. The list is bounded, so that a client that
-- keeps asking for the impossible cannot grow the order.
local REFUSED = 1600

local function refuse(key, id, refused, state, at, why)
  redis.call('HSET', key, 'refused', string.sub(id .. ' ' .. (refused or ''), 1, REFUSED))
  return {'conflict', state, at, why}
end

-- Departments that were whistled for, in one field: "department number department number ...", the number being
-- when it is to report (0: it has; -n: it has, and was given n stars). What is to be in the field for a verb to
-- go on, and what it puts there.
local function party(old, value, wanted)
  local n, most, department = string.match(value, '^(%d+) (%d+) (%S+)$')
  local parties, held, place = {}, nil, nil
  for name, number in string.gmatch(old or '', '(%S+) (%-?%d+)') do
    parties[#parties + 1] = name .. ' ' .. number
    if name == department then
      held, place = tonumber(number), #parties
    end
  end
  if wanted == 'none' then
    if held or #parties >= tonumber(most) then
      return nil, held and 'again' or 'long'
    end
  elseif not held or (wanted == 'reported' and held > 0) then
    return nil, 'absent'
  elseif held < 0 or (wanted == 'open' and held == 0) then
    return nil, 'again'
  else
    n = wanted == 'open' and '0' or '-' .. n
  end
  parties[place or #parties + 1] = department .. ' ' .. n
  return table.concat(parties, ' ')
end

-- The levels of a warning.
local WARNINGS = {blue = 1, yellow = 2, red = 3}

-- A deadline ("<clock>_by") that moves is warned of anew.
local function moved(field, put)
  put('warned:' .. string.match(field, '^(.*)_by$'), '')
end

-- What a step does to one field of the order's hash: from what is there (or nil) and the value given, the new
-- value (nil: left alone, '': removed), or nil and what speaks against the step. peek reads another field, put
-- changes one.
local verbs = {
  set = function(_, value) return value end,
  once = function(old, value) return not old and value or nil end,
  new = function(old, value)
    if old then return nil, 'again' end
    return value
  end,
  drop = function(old) return old and '' end,
  add = function(old, value) return string.format('%d', (old or 0) + value) end,
  -- of deadlines: to a later value, the same from another field, and to what may be earlier or '0' (none), unless
  -- it was met or moved by a person or a second attempt: "value met-field"
  raise = function(old, value, _, put, field)
    if old and tonumber(old) >= tonumber(value) then return nil end
    moved(field, put)
    return value
  end,
  lift = function(old, value, peek, put, field)
    local other = peek(value)
    if not other or (old and tonumber(old) >= tonumber(other)) then return nil end
    moved(field, put)
    return other
  end,
  count = function(old, value, peek, put, field)
    local new, met = string.match(value, '^(%d+) (%S+)$')
    local clock = string.match(field, '^(.*)_by$')
    if peek(met) or peek('extended:' .. clock) or peek('start:' .. clock) then return nil end
    if new == '0' then put('asked:' .. clock, '') end
    if new ~= (old or '0') then moved(field, put) end
    return new == '0' and '' or new
  end,
  -- a level of warning, which never falls
  rise = function(old, value) return WARNINGS[value] > (WARNINGS[old] or 0) and value or nil end,
  -- a list of words
  word = function(old, value)
    if has_word(old, ' ', value) then return nil end
    return old and old .. ' ' .. value or value
  end,
  need = function(old) return nil, not old and 'absent' or nil end,
  lack = function(old) return nil, old and 'again' or nil end,
  by = function(old, value) return nil, (not old or tonumber(value) > tonumber(old)) and 'late' or nil end,
  refuse = function(_, value) return nil, value end,
  -- of who did something: when that is known, it must be one (none) of these
  among = function(old, value) return nil, old and not has_word(value, ' ', old) and 'caller' or nil end,
  except = function(old, value) return nil, old and has_word(value, ' ', old) and 'caller' or nil end,
  open = function(old, value) return party(old, value, 'none') end,
  report = function(old, value) return party(old, value, 'open') end,
  rate = function(old, value) return party(old, value, 'reported') end,
}

-- Goes through (verb field value) * from argv[first] on without writing. More verbs: 'only', 'not': when the
-- field is none (one) of the values (comma list) all that follows is left out; 'past': so it is when the value does
-- not lie after the time in the field, or there is none; 'go': the order goes into that queue (see jiesu_step);
-- 'tell': these get a notice too. Returns the changed fields, nil, where it goes, and who is told; or nil and why not.
local function plan(key, argv, first, at)
  local changes, to, told = {}, nil, ''
  local function peek(field)
    local value = changes[field] or redis.call('HGET', key, field)
    return value ~= '' and value or nil
  end
  local function put(field, value) changes[field] = value end
  for i = first, #argv, 3 do
    local verb, field, value = argv[i], argv[i + 1], argv[i + 2]
    if verb == 'go' then
      to = value
    elseif verb == 'tell' then
      told = value
    elseif verb == 'past' then
      local due = tonumber(peek(field))
      if not due or tonumber(value == '@' and at or value) <= due then break end
    elseif verb == 'only' or verb == 'not' then
      if has_word(value, ',', peek(field) or '') ~= (verb == 'only') then break end
    else
      local new, why = verbs[verb](peek(field), value == '@' and at or value, peek, put, field)
      if why then
        return nil, why
      end
      changes[field] = new or changes[field]
    end
  end
  return changes, nil, to, told
end

-- Puts the order into a worker's queue, with what the entry said at its creation.
local ENTRY = {'urgency', 'category', 'kind', 'grid', 'created_at', 'respond_by', 'special'}

local function requeue(key, queue, changes)
  local community, ulid = string.match(key, '^jiesu:{([^}]*)}:order:(.*)$')
  local held, fields = redis.call('HMGET', key, unpack(ENTRY)), {'id', community .. '.' .. ulid}
  for i, name in ipairs(ENTRY) do
    local value = changes[name] or held[i]
    if value and value ~= '' then
      fields[#fields + 1], fields[#fields + 2] = name, value
    end
  end
  return enqueue(queue, fields)
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

-- jiesu_step KEYS order due events [index] ARGV step id by worker rule from target at strict version most queue over
-- due note tell (verb field value) ...
-- -> {'done', state, version}; {'replayed', state, version}: this id was taken before and led there;
-- {'conflict', state, version, why}; {'other', state, version}: the same key came with another body before;
-- {'missing'}: no such order. An id is "key" or "key.body".
--   rule     'holder': worker must hold the order; 'taker': it becomes the holder; 'any'
--   from     states it may be taken in (comma list); target: the state it leads to, '': the same
--   at       when; strict '1': not before the last step, else it counts as then; '@' as a value stands for it
--   version  the order's version must be this ('0': any); most: and below this one ('': any)
--   queue    whose queue the order goes into, to hold it: '=' its holder, '>' the next post, '<' the first post,
--            a worker: it leaves the others'; '+worker': it stays in the others' too, whoever accepts first has
--            it; '': none
--   over     "field most state": when the field is not below most, the order goes to the last post in that state
--   due      when to look at the order next: a number, '@' at once if it is open, '' never, '-' as before
--   note     JSON for the history; tell: workers who get a notice, '=' standing for the holder it then has
--   index    a sorted set in which the order is put by time

-- What is in the order's hash, by name; nil when there is no order. (Before version 4 it named one queue and one
-- entry.)
local HELD = {'state', 'version', 'refused', 'entries', 'queue', 'entry', 'worker', 'last_at', 'created_at',
  'posts', 'urgent', 'urgency', 'category', 'kind', 'grid', 'class', 'special', 'warning', 'warning_at'}

local function read_order(key)
  local values, held = redis.call('HMGET', key, unpack(HELD)), {}
  for i, name in ipairs(HELD) do
    held[name] = values[i] ~= '' and values[i] or nil
  end
  held.last = tonumber(held.last_at or held.created_at or 0)
  held.entries = held.entries or (held.entry and held.queue .. ' ' .. held.entry)
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

-- Where a step leads: the state, the holder, and whether the holder is to find it in its queue ('moved': in no
-- other one; 'also').
local function destination(order, held, argv, to)
  local target = argv[7] ~= '' and argv[7] or held.state
  local holder = argv[5] == 'taker' and argv[4] or held.worker
  if argv[13] ~= '' then
    local field, most, state = string.match(argv[13], '^(%S+) (%S+) (%S+)$')
    if tonumber(redis.call('HGET', order, field) or 0) >= tonumber(most) then
      return state, next_post(held.posts, holder, true), 'moved'
    end
  end
  local mark, worker = string.match(to, '^(%+?)(.*)$')
  if to == '' then
    return target, holder, nil
  elseif to == '>' then
    holder = next_post(held.posts, holder)
  elseif to == '<' then
    holder = string.match(held.posts or '', '%S+') or holder
  elseif to ~= '=' then
    holder = worker
  end
  return target, holder, mark == '+' and 'also' or 'moved'
end

local function history(held, argv, target, holder, version, at)
  return '{"version":' .. version .. ',"step":"' .. argv[1] .. '","from":"' .. held.state .. '","to":"' .. target ..
    '","at":' .. at .. ',"by":"' .. argv[3] .. '"' ..
    (argv[4] ~= '' and ',"worker":' .. cjson.encode(argv[4]) or '') .. ',"holder":' .. cjson.encode(holder) ..
    (argv[15] ~= '' and ',"note":' .. argv[15] or '') .. '}'
end

-- Writes fields; an empty one is removed. One command makes the step: of a call that the file holds only in part
-- (see fence) the hash has all or nothing. What is removed is empty by then, which is the same to whoever reads it.
local function write(key, changes)
  local fields, gone = {}, {}
  for field, value in pairs(changes) do
    fields[#fields + 1], fields[#fields + 2] = field, value
    if value == '' then
      gone[#gone + 1] = field
    end
  end
  redis.call('HSET', key, unpack(fields))
  if #gone > 0 then
    redis.call('HDEL', key, unpack(gone))
  end
end

local function set_due(set, due, member)
  if due == '' then
    redis.call('ZREM', set, member)
  else
    redis.call('ZADD', set, due, member)
  end
end

-- Keeps the lists of the open orders that were warned of, one for each level, by when it rose. What is written follows
-- from the order alone, so it is right again whenever it is written again.
local function list(prefix, member, level, rose_at, state)
  for name in pairs(level and WARNINGS or {}) do
    local set = prefix .. 'idx:warning:' .. name
    fence(set)
    if name == level and not DONE[state] then
      redis.call('ZADD', set, rose_at, member)
    else
      redis.call('ZREM', set, member)
    end
  end
end

-- Which of a worker's queues the order belongs in. No step changes it: a review corrects the category, not how urgent
-- the text was nor whom it is about.
local function queue_class(held)
  return held.urgent == '1' and ':urgent' or held.special == '1' and ':special' or ''
end

-- Whether it is in one of the worker's queues: of an engine before version 5 that may be another one.
local function is_queued(entries, queues)
  for _, class in ipairs({':urgent', ':special', ''}) do
    if has_word(entries, ' ', queues .. class) then return true end
  end
  return false
end

-- Puts the order into the holder's queue and takes it out of those it is in, as `queued` says. Returns an error, or
-- nothing; what comes of it is in changes.
local function move(order, held, changes, prefix, holder, queued, left)
  local entries, new = held.entries, nil
  if queued then -- first, because it may fail
    local queues = prefix .. 'q:' .. holder
    if queued ~= 'also' or not is_queued(entries, queues) then
      local queue = queues .. queue_class(held)
      local entry = requeue(order, queue, changes)
      if entry.err then
        return entry
      end
      new = queue .. ' ' .. entry
    end
  end
  if queued == 'also' then
    changes.entries = new and entries and entries .. ' ' .. new or new
  elseif queued or left then
    dequeue(entries)
    changes.entries = new or ''
    changes.queue, changes.entry = held.queue and '', held.entry and ''
  end
end

local function step(keys, argv)
  local order, id, held = keys[1], argv[2], read_order(keys[1])
  if not held then
    return {'missing'}
  end
  local prefix, community, member = string.match(order, '^(jiesu:{([^}]*)}:)order:(.*)$')
  local again = answer_again(order, held, id)
  if again then
    mend(order, held.entries, function(queue) return requeue(order, queue, {}) end)
    list(prefix, member, held.warning, held.warning_at, held.state)
    return again
  end
  if #argv < 16 or (#argv - 16) % 3 ~= 0 then
    return redis.error_reply('ERR a step in the form of an older engine')
  end
  local at, why = string.format('%d', math.max(held.last, argv[8])), objection(held, argv)
  local changes, to, told
  if not why then
    changes, why, to, told = plan(order, argv, 17, at)
  end
  if why then
    return refuse(order, id, held.refused, held.state, held.version, why)
  end
  local target, holder, queued = destination(order, held, argv, to or argv[12])
  local failed = move(order, held, changes, prefix, holder, queued, target ~= held.state)
  if failed then
    return failed
  end
  local version = string.format('%d', held.version + 1)
  local entry = history(held, argv, target, holder, version, at)
  local key, body = string.match(id, '^([^.]*)%.?(.*)$')
  changes.state, changes.version, changes.worker, changes.last_at = target, version, holder, at
  changes['s:' .. key] = target .. ' ' .. version .. ' ' .. body
  changes['h' .. version] = entry
  changes.warning_at = changes.warning and at
  list(prefix, member, changes.warning or held.warning, changes.warning_at or held.warning_at, target)
  if argv[14] == '@' and not DONE[target] then
    set_due(keys[2], at, member)
  elseif argv[14] ~= '@' and argv[14] ~= '-' then
    set_due(keys[2], argv[14], member)
  end
  count(prefix, not DONE[held.state] and held.worker or nil, not DONE[target] and holder or nil,
    queued or holder ~= held.worker, at)
  if keys[4] then
    redis.call('ZADD', keys[4], at, member)
  end
  for _, name in ipairs(FACTS) do
    held[name] = changes[name] or held[name]
  end
  announce(keys[3], member, version, argv[1], at, argv[3], held.state, target, holder, entry, held)
  tell(prefix, string.gsub(argv[16], '=', holder) .. ' ' .. told, community, member, argv[1], version, at, argv[15])
  write(order, changes) -- last, as the hash of a create
  if queued then
    redis.call('PUBLISH', prefix .. 'wake:' .. holder, member)
  end
  return {'done', target, version}
end

-- jiesu_due KEYS due ARGV now until most field ... -> {count, {ulid, due, {value, ...}}, ...}: how many orders are
-- due, and at most `most` of them, those due first first, with these fields of their hashes (the first is one that
-- every order has). Each of these is put off to `until`, so that nobody else takes it meanwhile, and it comes
-- again when whoever took it is gone. What is no order (any more) is forgotten.
local function due(keys, argv)
  local prefix = string.match(keys[1], '^(.*)due$')
  local ready = redis.call('ZRANGE', keys[1], '-inf', argv[1], 'BYSCORE', 'LIMIT', 0, argv[3], 'WITHSCORES')
  local found, later = {#ready / 2}, {}
  if #ready == 2 * argv[3] then
    found[1] = redis.call('ZCOUNT', keys[1], '-inf', argv[1])
  end
  for i = 1, #ready, 2 do
    local held = redis.call('HMGET', prefix .. 'order:' .. ready[i], unpack(argv, 4))
    if held[1] then
      found[#found + 1] = {ready[i], ready[i + 1], held}
      later[#later + 1], later[#later + 2] = argv[2], ready[i]
    else
      redis.call('ZREM', keys[1], ready[i])
    end
  end
  if #later > 0 then
    redis.call('ZADD', keys[1], unpack(later))
  end
  return found
end

-- jiesu_defer KEYS order due ARGV ulid version at now -> 'deferred': the order is to be looked at next at that time
-- ('': never); 'changed': it is of another version by now, and so due now.
local function defer(keys, argv)
  if redis.call('HGET', keys[1], 'version') ~= argv[2] then
    redis.call('ZADD', keys[2], 'XX', 'LT', argv[4], argv[1])
    return 'changed'
  end
  set_due(keys[2], argv[3], argv[1])
  return 'deferred'
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

-- jiesu_queue KEYS queue ... ARGV consumer most -> the answers (JSON) of at most `most` orders: of the queues in the
-- order given, in each those delivered before, then new ones. An entry that was deleted, or whose order
-- is gone or does not name it (see mend), is acknowledged and left out.
local function queue(keys, argv)
  local orders = string.match(keys[1], '^jiesu:{[^}]*}:') .. 'order:'
  local answers, most = {}, tonumber(argv[2])
  for _, stream in ipairs(keys) do
    for _, from in ipairs({'0', '>'}) do
      local want = most - #answers
      if want > 0 then
        for _, entry in ipairs(entries(stream, argv[1], want, from)) do
          local held = owner(orders, stream, entry)
          if held and held[1] then
            -- As it was answered at creation, but for its state: the first member of that name is its own.
            answers[#answers + 1] =
              (string.gsub(held[1], '"status":"dispatched"', '"status":"' .. held[2] .. '"', 1))
          else
            discard(stream, entry[1])
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

-- jiesu_uncounted KEYS events cursors lapse ARGV consumer now most field ...
-- -> {cursor, next, lag, {ulid, value ...} ...}: the consumer's cursor, the id of the last of at most `most` events
-- after it, for how many ms the first of them has waited, and the fields of the orders of these events and of
-- those in lapse before `now`, each order once.
local function uncounted(keys, argv)
  local at, most = redis.call('HGET', keys[2], argv[1]) or '0-0', argv[3]
  local events = redis.call('XRANGE', keys[1], '(' .. at, '+', 'COUNT', most)
  local orders, seen = string.match(keys[1], '^jiesu:{[^}]*}:') .. 'order:', {}
  local found = {at, at, 0}
  local function look(ulid)
    if not seen[ulid] then
      seen[ulid] = true
      found[#found + 1] = {ulid, unpack(redis.call('HMGET', orders .. ulid, unpack(argv, 4)))}
    end
  end
  for _, event in ipairs(events) do
    look(event[2][2]) -- its first field is `order`
  end
  for _, ulid in ipairs(redis.call('ZRANGEBYSCORE', keys[3], '-inf', '(' .. argv[2], 'LIMIT', 0, most)) do
    look(ulid)
  end
  if #events > 0 then
    local time = redis.call('TIME')
    found[2] = events[#events][1]
    found[3] = math.max(0, math.floor(time[1] * 1000 + time[2] / 1000 - string.match(events[1][1], '^%d+')))
  end
  return found
end

-- Adds to the numbers of a hash; one that becomes 0 is removed. What is written are the new numbers and not the
-- differences, and all of them, also when nothing changed: the same work done again after a torn transaction (see
-- fence) then puts everything right.
local CHUNK = 500

local function add_to(key, argv, first, last)
  fence(key)
  for from = first, last, 2 * CHUNK do
    local to, names, set, gone = math.min(last, from + 2 * CHUNK - 1), {}, {}, {}
    for i = from, to, 2 do
      names[#names + 1] = argv[i]
    end
    local held = redis.call('HMGET', key, unpack(names))
    for n, name in ipairs(names) do
      local sum = (held[n] or 0) + argv[from + 2 * n - 1]
      if sum == 0 then
        gone[#gone + 1] = name
      else
        set[#set + 1], set[#set + 2] = name, string.format('%d', sum)
      end
    end
    if #set > 0 then redis.call('HSET', key, unpack(set)) end
    if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
  end
end

-- jiesu_count KEYS cursors lapse order * n stat * m ARGV consumer expected next n (before after lapse) * n
-- (count (field difference) * count) * m
-- -> 1: counted; 0: the cursor does not stand at expected, or what an order has added before (its field `counted`)
-- is not what the caller saw; nothing was done. `after` is what it has added now, '' when the order is gone;
-- lapse: when it is to be looked at again, '': never.
local function count_figures(keys, argv)
  local n, at = tonumber(argv[4]), 5
  if (redis.call('HGET', keys[1], argv[1]) or '0-0') ~= argv[2] then
    return 0
  end
  for i = 1, n do
    local held = redis.call('HMGET', keys[2 + i], 'counted', 'state')
    if (held[1] or '') ~= argv[at + 3 * (i - 1)] or (argv[at + 3 * i - 2] == '') ~= not held[2] then
      return 0
    end
  end
  local field = at + 3 * n
  for k = 3 + n, #keys do
    local last = field + 2 * argv[field]
    add_to(keys[k], argv, field + 1, last)
    field = last + 1
  end
  for i = 1, n do
    local after, lapse = argv[at + 1], argv[at + 2]
    local ulid = string.match(keys[2 + i], '[^:]*$')
    if after ~= '' then
      redis.call('HSET', keys[2 + i], 'counted', after)
    end
    if lapse ~= '' then
      redis.call('ZADD', keys[2], lapse, ulid)
    else
      redis.call('ZREM', keys[2], ulid)
    end
    at = at + 3
  end
  redis.call('HSET', keys[1], argv[1], argv[3])
  return 1
end

redis.register_function{function_name = 'jiesu_version', callback = version, flags = {'no-writes'}}
redis.register_function('jiesu_create', create)
redis.register_function('jiesu_claim', claim)
redis.register_function('jiesu_step', step)
redis.register_function('jiesu_queue', queue)
redis.register_function('jiesu_due', due)
redis.register_function('jiesu_defer', defer)
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
redis.register_function{function_name = 'jiesu_uncounted', callback = uncounted, flags = {'no-writes'}}
redis.register_function('jiesu_count', count_figures)
