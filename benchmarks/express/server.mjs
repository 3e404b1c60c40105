// express-session, in memory or on the npm store of a database, with the pages of Sojourn.Benchmarks.Http. Packages are those of tests/express/reference.
//   node server.mjs <memory|redis|pg|mysql> <port> [url]
import { createRequire } from 'node:module'
const require = createRequire(new URL('../../tests/express/reference/', import.meta.url))
const express = require('express')
const session = require('express-session')
const [kind, port, url] = process.argv.slice(2)
const stores = {
  memory: () => undefined,
  async redis () {
    const client = require('redis').createClient({ url })
    await client.connect()
    return new (require('connect-redis').RedisStore)({ client })
  },
  async pg () {
    const pool = new (require('pg').Pool)({ connectionString: url, max: 20 })
    return new (require('connect-pg-simple')(session))({ pool, createTableIfMissing: true })
  },
  async mysql () {
    const { hostname: host, port, username: user, pathname } = new URL(url)
    const store = new (require('express-mysql-session')(session))({ host, port: Number(port), user, database: pathname.slice(1), connectionLimit: 20 })
    await store.onReady()
    return store
  }
}
const app = express()
app.disable('x-powered-by')
app.use(session({ secret: "the benchmark's secret, 32 characters or more", name: 'sid', resave: false, saveUninitialized: false, store: await stores[kind]() }))
const text = 'x'.repeat(82)
app.get('/seed', (req, res) => {
  req.session.counter = 0
  for (let i = 0; i < 10; i++) req.session['entry' + i] = text
  res.send('seeded')
})
app.get('/read', (req, res) => req.session.entry5 ? res.send(req.session.entry5) : res.sendStatus(500))
app.get('/write', (req, res) => req.session.counter === undefined ? res.sendStatus(500) : res.send(String(++req.session.counter)))
app.listen(Number(port), '127.0.0.1')
