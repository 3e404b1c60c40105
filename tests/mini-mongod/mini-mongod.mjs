#!/usr/bin/env node
// A stand-in for MongoDB where none is at hand: its wire protocol (OP_MSG) and, in memory, the commands that stores of sessions send, as MongoDB's manual
// describes them. It shows that calls are well formed, not what mongod does with them: no journal, no replication, no transactions, no collations. It has
// change streams all the same, which a mongod that is alone has not.
//   node mini-mongod.mjs PORT      (127.0.0.1 only)
import net from 'node:net'
import { BSON } from 'bson'

const { serialize, deserialize, Long } = BSON
const MAX_DOCUMENT = 16 * 1024 * 1024
const collections = new Map() // "database.collection" -> { ns, documents: Map(canonical _id -> document), indexes: [] }
const LOG = 10000 // how many changes are known, as an oplog holds so many and no more
const log = [] // a change's number % LOG -> the change
let told = 0 // how many there were
let lastCursor = 0
const streams = new Map() // a cursor's id -> a change stream: { ns, filter, projection, next, wake }
let failCommand // what configureFailPoint set

// --- values: BSON's own types are kept, so that what is stored is what was sent ---

const isLong = v => v?._bsontype === 'Long'
const isNumber = v => typeof v === 'number' || isLong(v) || v?._bsontype === 'Int32' || v?._bsontype === 'Double'
const number = v => isLong(v) ? v.toBigInt() : Number(v)
const plain = v => isNumber(v) ? number(v) : v instanceof Date ? v.getTime() : v

// Numbers of equal value are equal whatever their type; members of an object count in their order.
function canonical (v) {
  if (v === undefined || v === null) return 'null'
  if (isNumber(v)) { const n = number(v); return 'n:' + (typeof n === 'number' && Number.isInteger(n) ? BigInt(n) : n) }
  if (v instanceof Date) return 'd:' + v.getTime()
  if (typeof v !== 'object') return typeof v + ':' + JSON.stringify(v)
  if (Array.isArray(v)) return '[' + v.map(canonical).join(',') + ']'
  if (v._bsontype) return v._bsontype + ':' + BSON.EJSON.stringify({ v }, { relaxed: false })
  return '{' + Object.entries(v).map(([k, x]) => JSON.stringify(k) + ':' + canonical(x)).join(',') + '}'
}

// MongoDB's order of types, as far as it is met here: what is missing, numbers, text, dates.
const rank = v => v === undefined || v === null ? 0 : isNumber(v) ? 1 : typeof v === 'string' ? 2 : v instanceof Date ? 3 : 4
function compare (a, b) {
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (rank(a) === 4) return canonical(a) === canonical(b) ? 0 : NaN
  a = plain(a); b = plain(b)
  return a < b ? -1 : a > b ? 1 : 0
}

// --- filters ---

const at = (d, path) => path.split('.').reduce((o, k) => o == null ? undefined : o[k], d)
const equals = (v, x) => canonical(v) === canonical(x) || (Array.isArray(v) && v.some(item => canonical(item) === canonical(x)))
const isOperators = x => x && typeof x === 'object' && !x._bsontype && !(x instanceof Date) && Object.keys(x)[0]?.[0] === '$'
const operators = {
  $eq: equals,
  $ne: (v, x) => !equals(v, x),
  $in: (v, x) => x.some(y => equals(v, y)),
  $exists: (v, x) => (v !== undefined) === Boolean(plain(x)),
  $gt: (v, x) => rank(v) === rank(x) && compare(v, x) > 0,
  $gte: (v, x) => rank(v) === rank(x) && compare(v, x) >= 0,
  $lt: (v, x) => rank(v) === rank(x) && compare(v, x) < 0,
  $lte: (v, x) => rank(v) === rank(x) && compare(v, x) <= 0
}
function matches (d, filter = {}) {
  return Object.entries(filter).every(([k, x]) => {
    if (k === '$or') return x.some(f => matches(d, f))
    if (k === '$and') return x.every(f => matches(d, f))
    if (k[0] === '$') throw failure(2, 'unknown top level operator: ' + k, 'BadValue')
    if (!isOperators(x)) return equals(at(d, k), x)
    return Object.entries(x).every(([o, y]) => { if (!operators[o]) throw failure(2, 'unknown operator: ' + o, 'BadValue'); return operators[o](at(d, k), y) })
  })
}

// --- updates: a replacement, operators, or a pipeline of $set stages ---

function evaluate (e, d, now) {
  if (e === '$$NOW') return now
  if (typeof e === 'string' && e[0] === '$') return at(d, e.slice(1))
  if (!isOperators(e)) return e
  const [operator, argument] = Object.entries(e)[0]
  if (operator === '$literal') return argument
  const [a, b, c] = argument.map(x => evaluate(x, d, now))
  switch (operator) {
    case '$and': return a && b
    case '$ne': return compare(a, b) !== 0
    case '$gt': return compare(a, b) > 0
    case '$cond': return a ? b : c
    case '$add': return new Date(Number(plain(a)) + Number(plain(b)))
    default: throw failure(168, 'Unrecognized expression ' + operator, 'InvalidPipelineOperator')
  }
}
function updated (d, u, inserting) {
  const next = { ...d }
  if (Array.isArray(u)) {
    const now = new Date()
    for (const stage of u) {
      const before = { ...next }
      for (const [k, e] of Object.entries(stage.$set)) next[k] = evaluate(e, before, now)
    }
  } else if (Object.keys(u)[0]?.[0] !== '$') {
    return { _id: d._id, ...u }
  } else {
    for (const [k, v] of Object.entries(u.$set ?? {})) next[k] = v
    for (const k of Object.keys(u.$unset ?? {})) delete next[k]
    for (const k of Object.keys(u.$currentDate ?? {})) next[k] = new Date()
    if (inserting) Object.assign(next, u.$setOnInsert)
  }
  return next
}

// --- collections ---

const failure = (code, errmsg, codeName) => Object.assign(new Error(errmsg), { reply: { ok: 0, code, codeName, errmsg } })
function collection (name) {
  if (!collections.has(name)) collections.set(name, { ns: name, documents: new Map(), indexes: [{ v: 2, key: { _id: 1 }, name: '_id_' }] })
  return collections.get(name)
}
function put (c, d, operationType) {
  if (serialize(d).length > MAX_DOCUMENT) throw failure(10334, 'object to insert too large', 'BSONObjectTooLarge')
  c.documents.set(canonical(d._id), d)
  tell(c, operationType, d)
}
function remove (c, d) {
  c.documents.delete(canonical(d._id))
  tell(c, 'delete', d)
}
// mongod's TTL monitor runs once a minute.
function expire (c) {
  for (const index of c.indexes.filter(i => i.expireAfterSeconds !== undefined)) {
    const before = Date.now() - Number(plain(index.expireAfterSeconds)) * 1000 - 60000
    for (const d of [...c.documents.values()]) { const v = d[Object.keys(index.key)[0]]; if (v instanceof Date && v.getTime() <= before) remove(c, d) }
  }
}
function select (c, filter, { sort, skip = 0, limit = 0 } = {}) {
  expire(c)
  const byId = filter?._id !== undefined && !isOperators(filter._id) ? [c.documents.get(canonical(filter._id))].filter(Boolean) : [...c.documents.values()]
  const found = byId.filter(d => matches(d, filter))
  for (const [k, direction] of Object.entries(sort ?? {}).reverse()) found.sort((a, b) => compare(at(a, k), at(b, k)) * Number(plain(direction)))
  const from = Number(plain(skip)); const count = Math.abs(Number(plain(limit)))
  return found.slice(from, count ? from + count : undefined)
}
function project (d, p) { // what is to be there, by paths
  if (!p || !Object.keys(p).length) return d
  const projected = { _id: d._id }
  for (const path of Object.keys(p)) {
    const [name, ...rest] = path.split('.')
    if (d[name] !== undefined) projected[name] = rest.length ? { ...projected[name], ...project(d[name], { [rest.join('.')]: 1 }) } : d[name]
  }
  return projected
}
function upsert (c, filter, u) {
  const given = Object.fromEntries(Object.entries(filter).filter(([k, x]) => k[0] !== '$' && !isOperators(x)))
  const d = updated(given, u, true)
  d._id ??= new BSON.ObjectId()
  if (c.documents.has(canonical(d._id))) throw failure(11000, 'E11000 duplicate key error index: _id_', 'DuplicateKey')
  put(c, d, 'insert')
  return d
}
const kindOf = u => Array.isArray(u) || Object.keys(u)[0]?.[0] === '$' ? 'update' : 'replace'

// --- change streams: a resume token is the number of a change ---

function tell (c, operationType, d) {
  const documentKey = { _id: d._id }
  log[told++ % LOG] = { ns: c.ns, operationType, documentKey, ...(operationType === 'insert' || operationType === 'replace' ? { fullDocument: d } : {}) }
  for (const stream of streams.values()) if (stream.ns === c.ns) stream.wake?.()
}
function openStream (m, ns) {
  const [{ $changeStream: how }, ...stages] = m.pipeline
  if ((m.readConcern?.level ?? 'majority') !== 'majority') throw failure(72, '$changeStream needs read concern majority', 'InvalidOptions')
  const unknown = stages.find(s => !s.$match && !s.$project)
  if (unknown) throw failure(40324, 'Unrecognized pipeline stage name: ' + Object.keys(unknown)[0], 'Location40324')
  const after = how.resumeAfter ?? how.startAfter
  const stream = { ns, filter: stages.find(s => s.$match)?.$match, projection: stages.find(s => s.$project)?.$project, next: after ? Number(after._data) : told }
  streams.set(++lastCursor, stream)
  return { cursor: { id: Long.fromNumber(lastCursor), ns, firstBatch: batch(stream), postBatchResumeToken: token(stream.next) }, ok: 1 }
}
const token = next => ({ _data: String(next) })
function batch (stream) {
  if (stream.next < told - LOG) throw failure(286, 'the resume point may no longer be in the oplog', 'ChangeStreamHistoryLost')
  const found = []
  for (; stream.next < told; stream.next++) {
    const change = { _id: token(stream.next + 1), ...log[stream.next % LOG] }
    if (change.ns === stream.ns && matches(change, stream.filter)) found.push(project(change, stream.projection))
  }
  return found
}
function closeStream (id) {
  const stream = streams.get(id)
  streams.delete(id)
  stream?.wake?.()
}
function closeStreams (ns) {
  for (const [id, stream] of streams) if (stream.ns === ns) closeStream(id)
}

// --- commands ---

const cursor = (ns, firstBatch) => ({ cursor: { id: Long.ZERO, ns, firstBatch }, ok: 1 })
const hello = () => ({ helloOk: true, ismaster: true, isWritablePrimary: true, maxBsonObjectSize: MAX_DOCUMENT, maxMessageSizeBytes: 48000000, maxWriteBatchSize: 100000, localTime: new Date(), logicalSessionTimeoutMinutes: 30, connectionId: 1, minWireVersion: 0, maxWireVersion: 21, readOnly: false, ok: 1 })
const commands = {
  hello, ismaster: hello,
  ping: () => ({ ok: 1 }), endsessions: () => ({ ok: 1 }),
  buildinfo: () => ({ version: '7.0.0', versionArray: [7, 0, 0, 0], ok: 1 }),
  find: (m, ns) => cursor(ns, select(collection(ns), m.filter, m).map(d => project(d, m.projection))),
  aggregate (m, ns) { // change streams, and counting: $match, then $group
    if (m.pipeline[0]?.$changeStream) return openStream(m, ns)
    const n = select(collection(ns), m.pipeline.find(s => s.$match)?.$match).length
    const group = m.pipeline.find(s => s.$group)?.$group
    if (!group) throw failure(40324, 'Unrecognized pipeline stage name', 'Location40324')
    return cursor(ns, n ? [{ _id: 1, [Object.keys(group).find(k => k !== '_id')]: n }] : [])
  },
  async getmore (m) {
    const id = Number(plain(m.getMore))
    const stream = streams.get(id)
    if (!stream) throw failure(43, 'cursor id not found', 'CursorNotFound')
    let found = batch(stream)
    const until = Date.now() + Number(plain(m.maxTimeMS ?? 1000))
    while (!found.length && streams.has(id) && Date.now() < until) {
      await new Promise(resolve => { stream.wake = resolve; setTimeout(resolve, until - Date.now()) })
      found = batch(stream)
    }
    return { cursor: { id: streams.has(id) ? m.getMore : Long.ZERO, ns: stream.ns, nextBatch: found, postBatchResumeToken: token(stream.next) }, ok: 1 }
  },
  killcursors (m) {
    for (const id of m.cursors) closeStream(Number(plain(id)))
    return { cursorsKilled: m.cursors, ok: 1 }
  },
  insert (m, ns) {
    const c = collection(ns)
    const writeErrors = []
    m.documents.forEach((d, index) => {
      if (c.documents.has(canonical(d._id))) writeErrors.push({ index, code: 11000, errmsg: `E11000 duplicate key error collection: ${ns} index: _id_` })
      else put(c, d, 'insert')
    })
    return { n: m.documents.length - writeErrors.length, ...(writeErrors.length ? { writeErrors } : {}), ok: 1 }
  },
  update (m, ns) {
    const c = collection(ns)
    const upserted = []
    let n = 0; let nModified = 0
    m.updates.forEach((u, index) => {
      const found = select(c, u.q, u.multi ? {} : { limit: 1 })
      for (const d of found) { const next = updated(d, u.u, false); n++; if (canonical(next) !== canonical(d)) nModified++; put(c, next, kindOf(u.u)) }
      if (!found.length && u.upsert) { upserted.push({ index, _id: upsert(c, u.q, u.u)._id }); n++ }
    })
    return { n, nModified, ...(upserted.length ? { upserted } : {}), ok: 1 }
  },
  findandmodify (m, ns) {
    const c = collection(ns)
    const [d] = select(c, m.query, { sort: m.sort, limit: 1 })
    if (!d && !m.upsert) return { value: null, lastErrorObject: { n: 0, updatedExisting: false }, ok: 1 }
    const next = d ? updated(d, m.update, false) : upsert(c, m.query, m.update)
    if (d) put(c, next, kindOf(m.update))
    return { value: m.new ? next : d ?? null, lastErrorObject: { n: 1, updatedExisting: Boolean(d) }, ok: 1 }
  },
  delete (m, ns) {
    const c = collection(ns)
    let n = 0
    for (const x of m.deletes) for (const d of select(c, x.q, x)) { remove(c, d); n++ }
    return { n, ok: 1 }
  },
  createindexes (m, ns) {
    const c = collection(ns)
    const numIndexesBefore = c.indexes.length
    for (const i of m.indexes) {
      const there = c.indexes.find(x => canonical(x.key) === canonical(i.key))
      if (there && canonical(there.expireAfterSeconds) !== canonical(i.expireAfterSeconds)) throw failure(85, 'An equivalent index already exists with different options: ' + there.name, 'IndexOptionsConflict')
      if (!there) c.indexes.push({ v: 2, ...i })
    }
    return { numIndexesBefore, numIndexesAfter: c.indexes.length, ok: 1 }
  },
  listindexes: (m, ns) => cursor(ns, collections.has(ns) ? collections.get(ns).indexes : []),
  drop (m, ns) { collections.delete(ns); closeStreams(ns); return { ok: 1 } },
  dropdatabase (m) { for (const name of [...collections.keys()]) if (name.startsWith(m.$db + '.')) { collections.delete(name); closeStreams(name) } return { ok: 1 } },
  // The fail point "failCommand", as in a mongod with enableTestCommands=1: an errorCode instead of the work, a writeConcernError after it, or, of our own, a lost answer after it.
  configurefailpoint (m) { failCommand = m.mode === 'off' ? undefined : { ...m.data, times: m.mode === 'alwaysOn' ? Infinity : Number(plain(m.mode.times)) }; return { ok: 1 } }
}
async function answer (m) {
  const name = Object.keys(m)[0]
  const fail = failCommand?.failCommands.includes(name) && failCommand.times-- > 0 ? failCommand : undefined
  if (fail?.errorCode) return { ok: 0, code: Number(fail.errorCode), errmsg: 'failed by the fail point' }
  const run = commands[name.toLowerCase()]
  if (!run) return { ok: 0, code: 59, codeName: 'CommandNotFound', errmsg: 'no such command: ' + name }
  let reply
  try { reply = await run(m, m.$db + '.' + m[name]) } catch (e) { reply = e.reply ?? { ok: 0, code: 1, codeName: 'InternalError', errmsg: String(e.stack) } }
  if (fail?.writeConcernError) reply = { ...reply, writeConcernError: fail.writeConcernError }
  return fail?.closeConnection ? undefined : reply
}

// --- the wire ---

const keepTypes = { promoteValues: false, promoteBuffers: false, useBigInt64: false }
function readCommand (message) {
  const flags = message.readUInt32LE(16)
  const end = flags & 1 ? message.length - 4 : message.length
  let body
  const sequences = {}
  for (let i = 20; i < end;) {
    const kind = message[i++]
    const size = message.readInt32LE(i)
    if (kind === 0) {
      body = read(message.subarray(i, i + size))
    } else {
      const nameEnd = message.indexOf(0, i + 4)
      const list = sequences[message.toString('utf8', i + 4, nameEnd)] = []
      for (let p = nameEnd + 1; p < i + size; p += message.readInt32LE(p)) list.push(read(message.subarray(p, p + message.readInt32LE(p))))
    }
    i += size
  }
  return { ...body, ...sequences }
}
const read = bytes => deserialize(bytes, keepTypes)
function reply (requestId, opCode, head, document) {
  const body = serialize(document, { ignoreUndefined: true })
  const bytes = Buffer.concat([Buffer.alloc(16), head, body])
  bytes.writeInt32LE(bytes.length, 0); bytes.writeInt32LE(1, 4); bytes.writeInt32LE(requestId, 8); bytes.writeInt32LE(opCode, 12)
  return bytes
}
net.createServer(socket => {
  let buffer = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', async chunk => {
    buffer = Buffer.concat([buffer, chunk])
    while (buffer.length >= 16 && buffer.length >= buffer.readInt32LE(0)) {
      const message = buffer.subarray(0, buffer.readInt32LE(0))
      buffer = buffer.subarray(message.length)
      const opCode = message.readInt32LE(12)
      if (opCode === 2013) {
        const result = await answer(readCommand(message))
        if (!result) { socket.destroy(); return }
        if (!(message.readUInt32LE(16) & 2)) socket.write(reply(message.readInt32LE(4), 2013, Buffer.alloc(5), result))
      } else if (opCode === 2004) { // OP_QUERY: a client's first hello
        const head = Buffer.alloc(20)
        head.writeInt32LE(8, 0); head.writeInt32LE(1, 16)
        socket.write(reply(message.readInt32LE(4), 1, head, hello()))
      } else { socket.destroy(); return }
    }
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
