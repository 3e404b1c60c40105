#!/usr/bin/env node
// One side of a proof that two implementations share their sessions: this one is express-session with a real npm store.
//   node cross.mjs VERB <redis|redis-10|pg|mysql|mongo> <url> MANIFEST [STORE-OPTIONS as JSON]
// MANIFEST is a JSON file: {"secret", "sessions": [{"sid", "maxAge", "cookie"?, "data"}]}, see sessions.json. Exit code 1 and a line for each mismatch.
//   write    makes the sessions, each by a request
//   read     finds them with the data and cookie that the manifest tells of, changes them by a request, and changes them back
//   touch    asks for them by requests that change nothing; they live their whole time again
//   fresh    looks whether they do, and leaves them alone
//   stale    writes them so that their own JSON expires in a second, but not the store's record
//   destroy  destroys them
//   gone     does not find them, and gives who asks for them a new session
import fs from 'node:fs'
import http from 'node:http'
import crypto from 'node:crypto'
import assert from 'node:assert/strict'
import { open, session } from './stores.mjs'

const [verb, kind, url, manifest, storeOptions] = process.argv.slice(2)
const { secret, sessions } = JSON.parse(fs.readFileSync(manifest, 'utf8'))
const { store, ttl, expiresAt, close } = await open(kind, url, JSON.parse(storeOptions || '{}'))
store.setMaxListeners(0)

const sign = sid => encodeURIComponent('s:' + sid + '.' + crypto.createHmac('sha256', secret).update(sid).digest('base64').replace(/=+$/, ''))
const plain = value => JSON.parse(JSON.stringify(value))
// connect-mongo's touchAfter hands its own bookkeeping out as data
const dataOf = record => { const { cookie, lastModified, ...data } = plain(record); return data }
const get = sid => new Promise((resolve, reject) => store.get(sid, (e, record) => e ? reject(e) : resolve(record)))
const call = (name, ...args) => new Promise((resolve, reject) => store[name](...args, e => e ? reject(e) : resolve()))

/** One request through express-session itself; resolves to the Set-Cookie headers. */
function request (s, withCookie, handler) {
  const cookie = s.maxAge === null ? s.cookie : { ...s.cookie, maxAge: s.maxAge }
  const use = session({ secret, resave: false, saveUninitialized: true, proxy: true, store, cookie, genid: () => withCookie ? 'another-id' : s.sid })
  const headers = { 'x-forwarded-proto': 'https', ...(withCookie ? { cookie: 'connect.sid=' + sign(s.sid) } : {}) }
  return new Promise((resolve, reject) => {
    const server = http.createServer((req, res) => use(req, res, e => {
      try { if (e) throw e; handler(req) } catch (thrown) { reject(thrown) }
      res.end()
    })).listen(0, '127.0.0.1', () => {
      http.get({ port: server.address().port, host: '127.0.0.1', path: s.cookie?.path ?? '/', headers }, res => {
        res.resume().on('end', () => { server.close(); resolve(res.headers['set-cookie']) })
      }).on('error', reject)
    })
  })
}

async function assertFresh (s) {
  const left = await expiresAt(s.sid) - Date.now() - (s.maxAge ?? ttl)
  assert.ok(Math.abs(left) < 30000, `expires ${left} ms from where it should`)
}

const verbs = {
  async write (s) {
    const [line] = await request(s, false, req => Object.assign(req.session, s.data))
    assert.equal(line.split(';')[0], 'connect.sid=' + sign(s.sid))
  },

  async read (s) {
    const record = await get(s.sid)
    assert.ok(record, 'not found')
    assert.deepEqual(dataOf(record), s.data)
    const { cookie } = plain(record)
    if (s.maxAge === null) assert.deepEqual([cookie.originalMaxAge ?? null, cookie.expires ?? null], [null, null])
    else {
      assert.ok(Math.abs(cookie.originalMaxAge - s.maxAge) <= 1000, 'originalMaxAge ' + cookie.originalMaxAge)
      assert.ok(Math.abs(Date.parse(cookie.expires) - Date.now() - s.maxAge) < 30000, 'expires ' + cookie.expires)
    }
    for (const [name, value] of Object.entries({ path: '/', httpOnly: true, ...s.cookie })) assert.equal(cookie[name], value, 'cookie.' + name)

    const told = await request(s, true, req => { assert.equal(req.sessionID, s.sid); assert.deepEqual(dataOf(req.session), s.data) })
    assert.equal(told, undefined, 'a cookie is set')
    await request(s, true, req => { req.session.fromNode = 'čau' })
    assert.equal((await get(s.sid)).fromNode, 'čau')
    await request(s, true, req => { delete req.session.fromNode })
  },

  async touch (s) {
    await request(s, true, req => assert.equal(req.sessionID, s.sid))
    await assertFresh(s)
  },

  fresh: assertFresh,

  async stale (s) {
    const record = expires => ({ ...s.data, cookie: { originalMaxAge: s.maxAge, expires: new Date(expires), httpOnly: true, path: '/' } })
    await call('set', s.sid, record(Date.now() + 1000))
    await call('touch', s.sid, record(Date.now() + s.maxAge))
  },

  async destroy (s) { await call('destroy', s.sid) },

  async gone (s) {
    assert.ok(!(await get(s.sid)), 'still there')
    await request(s, true, req => assert.equal(req.sessionID, 'another-id'))
    await call('destroy', 'another-id')
  }
}

for (const s of sessions) {
  try { await verbs[verb](s) } catch (e) { process.exitCode = 1; console.log(`${kind} ${verb} ${s.sid}: ${e.stack}`) }
}
await close()
