// @fastify/session, with the pages of Sojourn.Benchmarks.Http.
//   node server.mjs <memory|redis> <port> [url]
import fastifySession from '@fastify/session'
import fastifyCookie from '@fastify/cookie'
import { RedisStore } from 'connect-redis'
import Fastify from 'fastify'
import { createClient } from 'redis'
const [kind, port, url] = process.argv.slice(2)
const stores = {
  memory: () => undefined,
  async redis () {
    const client = createClient({ url })
    await client.connect()
    return new RedisStore({ client })
  }
}
const app = Fastify()
await app.register(fastifyCookie)
await app.register(fastifySession, {
  secret: "the benchmark's secret, 32 characters or more",
  cookieName: 'sid',
  cookie: { secure: false },
  saveUninitialized: false,
  rolling: false,
  store: await stores[kind]()
})
const text = 'x'.repeat(82)
app.get('/seed', (request, reply) => {
  request.session.counter = 0
  for (let i = 0; i < 10; i++) request.session['entry' + i] = text
  reply.send('seeded')
})
app.get('/read', (request, reply) => request.session.entry5 ? reply.send(request.session.entry5) : reply.code(500).send())
app.get('/write', (request, reply) => request.session.counter === undefined ? reply.code(500).send() : reply.send(String(++request.session.counter)))
await app.listen({ port: Number(port), host: '127.0.0.1' })
