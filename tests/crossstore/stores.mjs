// Opens the real npm stores by name and URL: { store, expiresAt(sid), ttl, close() }. expiresAt is when the database drops the record or the store ignores it,
// in ms since 1970; ttl is how long a session of browser length lives, in ms. The packages are those of ../express/reference.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
const require = createRequire(new URL('../express/reference/package.json', import.meta.url))
export const session = require('express-session')

const day = 86400e3

// What an application may give to connect-mongo.
const mongoFunctions = {
  transformId: sid => createHash('sha256').update(sid).digest('hex'),
  serialize: record => Buffer.from(JSON.stringify(record)).toString('base64'),
  unserialize: text => JSON.parse(Buffer.from(text, 'base64'))
}

async function openRedis (url, options, connectRedis) {
  const { createClient } = require('redis')
  const client = createClient({ url })
  await client.connect()
  const store = new connectRedis.RedisStore({ client, ...options })
  return {
    store,
    ttl: 1000 * (options.ttl ?? 86400),
    expiresAt: async sid => Date.now() + await client.pTTL(store.prefix + sid),
    close: () => client.close()
  }
}

export async function open (kind, url, options = {}) {
  switch (kind) {
    case 'redis': return openRedis(url, options, require('connect-redis'))
    case 'redis-10': return openRedis(url, options, require('connect-redis-10'))
    case 'pg': {
      const pg = require('pg')
      const pool = new pg.Pool({ connectionString: url })
      const Store = require('connect-pg-simple')(session)
      const store = new Store({ pool, createTableIfMissing: true, pruneSessionInterval: false, ...options })
      await store._rawEnsureSessionStoreTable()
      return {
        store,
        ttl: day,
        expiresAt: async sid => 1000 * (await pool.query('SELECT extract(epoch from expire::timestamptz)::float AS at FROM "session" WHERE sid = $1', [sid])).rows[0].at,
        async close () { await store.close(); await pool.end() }
      }
    }
    case 'mysql': {
      const Store = require('express-mysql-session')(session)
      const { hostname, port, username, password, pathname } = new URL(url)
      const store = new Store({
        host: hostname, port: Number(port), user: decodeURIComponent(username), password: decodeURIComponent(password), database: pathname.slice(1), clearExpired: false, ...options
      })
      await store.onReady()
      return {
        store,
        ttl: day,
        expiresAt: async sid => 1000 * (await store.query('SELECT expires FROM sessions WHERE session_id = ?', [sid]))[0][0].expires,
        close: () => store.close()
      }
    }
    case 'mongo': {
      const { MongoStore, createWebCryptoAdapter } = require('connect-mongo')
      const { webcrypto, functions, ...rest } = options
      const store = MongoStore.create({ mongoUrl: url, ...rest, ...(functions ? mongoFunctions : {}), ...(webcrypto ? { cryptoAdapter: createWebCryptoAdapter(webcrypto) } : {}) })
      const collection = await store.collectionP
      return {
        store,
        ttl: 14 * day,
        expiresAt: async sid => (await collection.findOne({ _id: functions ? mongoFunctions.transformId(sid) : sid })).expires.getTime(),
        close: () => store.close()
      }
    }
    default: throw new Error('unknown store ' + kind)
  }
}
