/** PostgreSQL from npm: a real server on a free loopback port, in a throw-away folder or one that is kept. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { freePort } from './free-port.mjs'
import { startProcess } from './start-process.mjs'

const files = fileURLToPath(new URL('postgres-files.mjs', import.meta.url))
const previousLimitMs = 30_000

/** `folder` is kept; without one the server's files go when it stops. */
export async function startPostgres({ folder: kept } = {}) {
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'evt-pg-')))
  mkdirSync(folder, { recursive: true })
  // The server runs as another user than root and must be able to pass through.
  await chmod(folder, 0o755)
  const data = join(folder, 'data')
  await previousEnded(join(data, 'postmaster.pid'))
  const { command, identity } = JSON.parse(execFileSync(process.execPath, [files, data], { encoding: 'utf8' }))
  const port = await freePort()
  const url = `postgres://evt:evt@127.0.0.1:${port}/postgres`
  const { stop } = await startProcess({
    name: 'PostgreSQL',
    command,
    args: ['-D', data, '-p', String(port), '-c', 'max_connections=200', '-c', 'unix_socket_directories='],
    identity,
    stopSignal: 'SIGINT',
    removeFolder: kept === undefined ? folder : undefined,
    ready: () => answers(url),
  })
  return { url, stop }
}

async function answers(connectionString) {
  const client = new pg.Client({ connectionString })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return true
  } finally {
    await client.end()
  }
}

/** A server whose runner was killed may still be stopping. */
async function previousEnded(pidFile) {
  const endMs = Date.now() + previousLimitMs
  while (existsSync(pidFile) && isAlive(Number(readFileSync(pidFile, 'utf8').split('\n')[0]))) {
    if (Date.now() > endMs) throw new Error(`A PostgreSQL still runs in this folder: ${pidFile}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
