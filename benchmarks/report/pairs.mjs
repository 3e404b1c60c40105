// Who is compared with whom, one over the other, and what the project has set itself to reach: for a page that reads, and for one that writes.
//   node pairs.mjs      prints them, each once
const target = (over, under, read, write = read) => ({ over, under, read, write })

export const memoryPairs = [
  target('sojourn-memory', 'none', 0.88, 0.80),
  target('builtin', 'none'),
  target('sojourn-memory', 'builtin', 1.8),
  target('sojourn-memory', 'express', 15),
  target('sojourn-memory', 'fastify'),
  target('sojourn-sqlite', 'sojourn-memory', 0.8, ''),
  target('sojourn-redis', 'builtin-redis', 2.5),
  target('sojourn-redis', 'express-redis'),
  target('sojourn-redis', 'fastify-redis'),
  target('sojourn-redis-near', 'sojourn-memory', 0.85, ''),
  target('sojourn-redis-near', 'sojourn-redis')
]

export const storePairs = [
  target('sojourn-redis', 'builtin-redis', 2.5),
  target('sojourn-redis', 'express-redis', 3),
  target('sojourn-redis', 'fastify-redis'),
  target('sojourn-redis-near', 'sojourn-redis'),
  target('sojourn-pg', 'express-pg', 3),
  target('sojourn-mysql', 'express-mysql', 3)
]

if (process.argv[1] === new URL(import.meta.url).pathname) {
  console.log([...new Set([...memoryPairs, ...storePairs].map(({ over, under }) => `${over} ${under}`))].join('\n'))
}
