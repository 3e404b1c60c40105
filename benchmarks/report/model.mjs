// Carries measured costs to a very large site: writes the arithmetic of ../docs/scale.md from the figures that stand in RESULTS.md, SCALE.md and ../docs/stores.md.
//   node model.mjs
import { readFileSync } from 'node:fs'
import { publish } from './publish.mjs'

const at = name => new URL(`../${name}`, import.meta.url).pathname
// The cells of the row of a document's table that begins with the cells given, each a text or a pattern.
function row (file, ...start) {
  for (const line of readFileSync(at(file), 'utf8').split('\n')) {
    const cells = line.split('|').slice(1, -1).map(cell => cell.trim())
    if (start.every((cell, i) => cell instanceof RegExp ? cell.test(cells[i]) : cells[i] === cell)) return cells
  }
  throw new Error(`${file} has no row ${start.join(' | ')}.`)
}
const value = text => Number(text.replaceAll(',', ''))

// What is assumed, and can be changed here.
const sessions = 100e6
const rate = 1e6
const writeShare = 0.1
const interval = 60 // seconds: the touch interval of the default idle timeout
const busy = 0.6 // of each core, and of each machine's memory

const [read, write] = ['read', 'write'].map(page => {
  const cells = row('RESULTS.md', '`sojourn-redis`', page)
  return { app: value(cells[5]), redis: value(cells[6]) }
})
const none = value(row('RESULTS.md', '`none`', 'read')[5])
const bytes = value(row('SCALE.md', 'redis', '1,000,000')[2])
const labelled = value(row('../docs/stores.md', 'Redis', /^\d+$/)[2])
const pg = ['read', 'write'].map(page => value(row('RESULTS.md', '`sojourn-pg`', page)[6]))

const n = (x, digits = 0) => x.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: 0 })
const scriptRedis = write.redis - read.redis
const scriptApp = write.app - read.app
const gap = sessions / rate
const touches = sessions / (interval + gap)
const scripts = rate * writeShare + touches
const redisReads = rate * read.redis / 1e6
const redisScripts = scripts * scriptRedis / 1e6
const redisCores = redisReads + redisScripts
const memory = sessions * labelled / 1e9
const primaries = Math.ceil(redisCores / busy)
const appCores = (rate * read.app + scripts * scriptApp) / 1e6
const appMachines = Math.ceil(appCores / busy / 8)
const longTouches = sessions / (300 + gap)
const longCores = redisReads + (rate * writeShare + longTouches) * scriptRedis / 1e6

const table = (head, rows) => [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
publish(at('../docs/scale.md'), 'model', `Measured:

${table(['figure', 'value', 'where'], [
  ['a request that reads, of the application', `${n(read.app, 1)} µs`, '`sojourn-redis`, read, in [RESULTS.md](../benchmarks/RESULTS.md)'],
  ['the same without a session', `${n(none, 1)} µs`, '`none`, read, there'],
  ['a request that reads, of Redis: one GET', `${n(read.redis, 1)} µs`, 'there, *of the database*'],
  ['a request that writes, of the application', `${n(write.app, 1)} µs`, '`sojourn-redis`, write, there'],
  ['a request that writes, of Redis: a GET and a script', `${n(write.redis, 1)} µs`, 'there'],
  ['a session of 256 bytes in Redis', `${n(bytes)} bytes`, '`redis`, 1,000,000, in [SCALE.md](../benchmarks/SCALE.md)'],
  ['the same with the label of a subject', `${n(labelled)} bytes`, '*Capacity* in [stores.md](stores.md)'],
  ['a read and a write of PostgreSQL', `${pg.map(cost => n(cost, 1)).join(' and ')} µs`, '`sojourn-pg` in RESULTS.md']
])}

Reckoned:

${table(['what', 'how', 'comes to'], [
  ['a visitor asks every', `${n(sessions / 1e6)} million / ${n(rate / 1e6)} million a second`, `${n(gap)} s`],
  ['touches a second', `${n(sessions / 1e6)} million / (${interval} s + ${n(gap)} s): a session is touched by its first request after the interval`, n(touches)],
  ['scripts a second', `${n(rate * writeShare)} writes + ${n(touches)} touches, each taken to cost what a write's script costs`, n(scripts)],
  ['cores of Redis, reads', `${n(rate)} × ${n(read.redis, 1)} µs`, n(redisReads, 1)],
  ['cores of Redis, scripts', `${n(scripts)} × (${n(write.redis, 1)} - ${n(read.redis, 1)}) µs`, n(redisScripts, 1)],
  ['**primaries**, one core each', `(${n(redisReads, 1)} + ${n(redisScripts, 1)}) / ${busy}`, `**${n(primaries)}**, and as many replicas`],
  ['memory of all primaries', `${n(sessions / 1e6)} million × ${n(labelled)} bytes`, `${n(memory)} GB`],
  ['**memory of a primary**', `${n(memory)} GB / ${n(primaries)} / ${busy}`, `**${n(memory / primaries / busy, 1)} GB**`],
  ['cores of the applications', `${n(rate)} × ${n(read.app, 1)} µs + ${n(scripts)} × (${n(write.app, 1)} - ${n(read.app, 1)}) µs`, n(appCores, 1)],
  ['**application machines** of 8 cores', `${n(appCores, 1)} / 8 / ${busy}`, `**${n(appMachines)}**, besides what the application itself does`],
  ['of these, without any session', `${n(rate)} × ${n(none, 1)} µs / 8 / ${busy}`, n(Math.ceil(rate * none / 1e6 / 8 / busy))],
  ['traffic of Redis', `(${n(rate)} + ${n(scripts)}) × about ${n(bytes)} bytes`, `${n((rate + scripts) * bytes * 8 / 1e9, 1)} Gbit/s, ${n((rate + scripts) * bytes * 8 / 1e6 / primaries)} Mbit/s a primary`],
  ['connections of a primary', `${n(appMachines)} machines × 2, as the driver opens them`, n(appMachines * 2)],
  ['primaries with an idle timeout of 100 minutes or more', `touches every 300 s: ${n(sessions / 1e6)} million / (300 s + ${n(gap)} s) = ${n(longTouches)} a second; ${n(longCores, 1)} cores / ${busy}`, n(Math.ceil(longCores / busy))],
  ['one PostgreSQL of 32 cores carries', `32 × ${busy} / (${n(1 - writeShare, 1)} × ${n(pg[0], 1)} + ${writeShare} × ${n(pg[1], 1)} µs), touches left out`, `${n(32 * busy / ((1 - writeShare) * pg[0] + writeShare * pg[1]) * 1e6)} requests a second`]
])}`)
