// Makes tables and charts of the turns that run.sh measured.
//   node report.mjs turns together note [write]      prints the tables; write: puts them and the charts into the documents
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { barChart, number } from './chart.mjs'
import { memoryPairs, storePairs } from './pairs.mjs'
import { publish } from './publish.mjs'

const [turnsFile, togetherFile, note, write] = process.argv.slice(2)
const here = name => new URL(`../${name}`, import.meta.url).pathname
const sum = values => values.reduce((a, b) => a + b, 0)
const median = values => values.sort((a, b) => a - b)[values.length >> 1]

// By mode and path: requests, seconds, hundredths of a second of processor time, and what they make.
const measured = {}
for (const line of readFileSync(turnsFile, 'utf8').trim().split('\n')) {
  const [mode, path, ...figures] = line.split(' ')
  ;((measured[mode] ??= {})[path] ??= []).push(figures)
}
for (const paths of Object.values(measured)) {
  for (const [path, turns] of Object.entries(paths)) {
    const column = i => turns.map(turn => Number(turn[i]))
    const requests = sum(column(0))
    paths[path] = {
      rate: requests / sum(column(1)),
      perSecondOfProcessor: requests / sum(column(2)) * 100,
      micros: sum(column(2)) / requests * 1e4,
      databaseMicros: sum(column(3)) / requests * 1e4,
      p50: median(column(4)),
      p99: median(column(5)),
      bytes: turns[0][6] === '-' ? undefined : sum(column(6)) / requests,
      asked: turns[0][7]
    }
  }
}

// Of two that were loaded at the same time: what the one made of its processor time, over what the other made of its own, turn by turn. Not by sums, in which turns count
// more for the one than for the other.
const together = {}
for (const line of readFileSync(togetherFile, 'utf8').split('\n').filter(Boolean)) {
  const [over, under, path, ...figures] = line.split(' ')
  const [requests, spent, others, spentByOthers] = [0, 2, 7, 9].map(column => Number(figures[column]))
  ;(together[`${over} ${under} ${path}`] ??= []).push(requests / spent / (others / spentByOthers))
}
const geometricMean = values => Math.exp(sum(values.map(Math.log)) / values.length)
const has = (...modes) => modes.every(mode => measured[mode])
const paths = ['read', 'write']
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

const ratio = (pair, path) => {
  const { over, under, [path]: target } = pair
  const [x, y] = [measured[over][path], measured[under][path]]
  return [`\`${over}\`/${path} / \`${under}\`/${path}`, geometricMean(together[`${over} ${under} ${path}`]).toFixed(2), (x.rate / y.rate).toFixed(2), target ?? '', x.asked, y.asked]
}
const measuredOf = pairs => pairs.filter(({ over, under }) => has(over, under))
const ratioHead = ['requests', 'by processor time', 'by the clock', 'target']

const memoryRatios = table(ratioHead, measuredOf(memoryPairs).flatMap(pair => paths.map(path => ratio(pair, path).slice(0, 4))))

const bytes = (mode, path) => has(mode, 'none') && measured[mode][path].bytes !== undefined && mode !== 'none' ? measured[mode][path].bytes - measured.none[path].bytes : undefined
const figures = table(['mode', 'page', 'requests a second', 'p50, µs', 'p99, µs', 'processor time, µs', 'of the database, µs', 'bytes', 'bytes of the session'],
  Object.keys(measured).flatMap(mode => paths.map(path => {
    const of = measured[mode][path]
    return [`\`${mode}\``, path, number(of.rate), number(of.p50), number(of.p99), number(of.micros), of.databaseMicros ? number(of.databaseMicros) : '', of.bytes === undefined ? '' : number(of.bytes), bytes(mode, path) === undefined ? '' : number(bytes(mode, path))]
  })))

const storeRatios = table([...ratioHead, 'asked'], paths.flatMap(path => measuredOf(storePairs).map(pair => ratio(pair, path)))
  .map(row => [...row.slice(0, 4), `${row[4]} / ${row[5]}`]))

const allocation = table(['bytes allocated by the session', 'measured', 'target'], ['sojourn-memory', 'sojourn-redis-near', 'sojourn-redis', 'builtin', 'builtin-redis'].flatMap(mode => paths
  .filter(path => bytes(mode, path) !== undefined)
  .map(path => [`\`${mode}\`/${path}`, number(bytes(mode, path)), mode === 'sojourn-memory' ? (path === 'read' ? '1,200' : '2,500') : ''])))

const tables = `${note}.\n\n${memoryRatios}\n\n${allocation}\n\n${figures}`
console.log(`${tables}\n\n${storeRatios}`)
if (!write) process.exit()

const names = {
  none: 'no session', builtin: 'built-in session', express: 'express-session', fastify: '@fastify/session', 'sojourn-memory': 'Sojourn', 'sojourn-sqlite': 'Sojourn, SQLite',
  'builtin-redis': 'built-in session', 'express-redis': 'express-session', 'fastify-redis': '@fastify/session', 'sojourn-redis': 'Sojourn', 'sojourn-redis-near': 'Sojourn, near cache',
  'express-pg': 'express-session', 'sojourn-pg': 'Sojourn', 'express-mysql': 'express-session', 'sojourn-mysql': 'Sojourn'
}
const charts = [
  ['memory', 'Sessions in memory', 'perSecondOfProcessor', 'requests for each second of processor time of the server: more is better', ['none', 'builtin', 'express', 'fastify', 'sojourn-memory', 'sojourn-sqlite']],
  ['redis', 'Sessions in Redis', 'perSecondOfProcessor', 'requests for each second of processor time of the application: more is better', ['builtin-redis', 'express-redis', 'fastify-redis', 'sojourn-redis', 'sojourn-redis-near']],
  ['postgresql', 'Sessions in PostgreSQL', 'perSecondOfProcessor', 'requests for each second of processor time of the application: more is better', ['express-pg', 'sojourn-pg']],
  ['mariadb', 'Sessions in MariaDB', 'perSecondOfProcessor', 'requests for each second of processor time of the application: more is better', ['express-mysql', 'sojourn-mysql']],
  ['latency', 'Slowest of a hundred, sessions in Redis', 'p99', 'p99 in µs, 32 connections that never pause, one core: less is better', ['builtin-redis', 'express-redis', 'fastify-redis', 'sojourn-redis', 'sojourn-redis-near']],
  ['bytes', 'Bytes allocated for a request', 'bytes', 'by the whole request, the session included: less is better', ['none', 'builtin', 'sojourn-memory', 'sojourn-sqlite', 'builtin-redis', 'sojourn-redis', 'sojourn-redis-near']]
]
const folder = here('../docs/charts')
mkdirSync(folder, { recursive: true })
const images = charts.map(([file, title, figure, subtitle, modes]) => {
  const rows = modes.filter(mode => measured[mode]).map(mode => ({
    label: file === 'bytes' && mode.includes('-redis') ? `${names[mode]}, Redis` : names[mode],
    ours: mode.startsWith('sojourn'),
    values: paths.map(path => measured[mode][path][figure])
  }))
  writeFileSync(`${folder}/${file}.svg`, barChart({ title, subtitle, series: paths, rows }))
  return `![${title}: ${subtitle}](charts/${file}.svg)`
})
publish(here('RESULTS.md'), 'http', tables)
publish(here('STORES.md'), 'stores', `${note}.\n\n${storeRatios}`)
publish(here('../docs/performance.md'), 'run', `${note}.\n\n${images.join('\n\n')}\n\n${memoryRatios}\n\n${allocation}`)
