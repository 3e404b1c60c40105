// Starts tests/Sojourn.AotApp and uses it. Prints milliseconds to the first answered request, processor time until then in milliseconds, memory in MB then and after some
// requests, and the processor time of each of these in microseconds.
//   node start.mjs requests program [argument]...
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [requests, program, ...args] = process.argv.slice(2)
const port = await new Promise(resolve => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => resolve(port)) }) })
const folder = mkdtempSync(join(tmpdir(), 'sojourn-start-'))
const agent = new Agent({ keepAlive: true, maxSockets: 8 })
const post = cookie => new Promise((resolve, reject) => request({ host: '127.0.0.1', port, agent, method: 'POST', path: '/count', headers: cookie ? { cookie } : {} }, answer => {
  answer.resume().on('end', () => answer.statusCode === 200 ? resolve(answer.headers['set-cookie']) : reject(new Error(`status ${answer.statusCode}`)))
}).on('error', reject).end())

const started = performance.now()
const child = spawn(program, args, {
  cwd: folder,
  stdio: ['ignore', 'ignore', 'inherit'],
  env: {
    ...process.env,
    ASPNETCORE_URLS: `http://127.0.0.1:${port}`,
    ASPNETCORE_ENVIRONMENT: 'Production',
    DOTNET_ENVIRONMENT: 'Production',
    Sojourn__Secrets__0: "the benchmark's secret, 32 characters or more",
    Sojourn__Encryption__Keys__0__Name: 'first',
    Sojourn__Encryption__Keys__0__Key: Buffer.alloc(32).toString('base64'),
    Sojourn__Cookie__Name: 'sid',
    Logging__LogLevel__Default: 'Warning'
  }
})
const exited = new Promise(resolve => child.once('exit', resolve))
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024
const processor = () => { const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/.*\) /, '').split(' '); return (Number(fields[11]) + Number(fields[12])) * 10 }
try {
  let cookie
  for (;;) {
    try { cookie = (await post())[0].split(';')[0]; break } catch (error) {
      if (error.code !== 'ECONNREFUSED' || (child.exitCode ?? child.signalCode) !== null) throw error
      await new Promise(resolve => setTimeout(resolve, 1))
    }
  }
  const [answered, began, first] = [performance.now() - started, processor(), memory()]
  let left = Number(requests)
  await Promise.all(Array.from({ length: 8 }, async () => { while (left-- > 0) await post(cookie) }))
  console.log(answered.toFixed(0), began, first.toFixed(0), memory().toFixed(0), ((processor() - began) * 1000 / requests).toFixed(0))
} finally {
  agent.destroy()
  child.kill()
  await exited
  rmSync(folder, { recursive: true })
}
