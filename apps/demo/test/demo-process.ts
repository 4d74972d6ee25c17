import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FreshDatabase, freshDatabase, sourceRun } from '@evt/servers'
import pg from 'pg'

const killAt = new URL('kill-at.mjs', import.meta.url).href

export interface Moment {
  /** Names of crash points, with bars between them. */
  readonly point: string
  readonly nth: number
  readonly signal: 'SIGTERM' | 'SIGKILL'
}
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}
export interface DemoProcess {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves once it has written this, rejects when it ends without. */
  says(text: string): Promise<void>
}

/** The demo as users run it, less the installation. */
export function startDemo(args: readonly string[], moments: readonly Moment[] = []): DemoProcess {
  const preload = moments.length === 0 ? [] : ['--import', killAt]
  const child = spawn(process.execPath, [...sourceRun.execArgv, ...preload, 'apps/demo/src/main.ts', ...args], {
    cwd: sourceRun.cwd,
    env: { PATH: process.env.PATH, EVT_DEMO_KILL: JSON.stringify(moments) },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  // What was killed reads no more.
  child.stdin.on('error', () => undefined)
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (stdout.includes(text)) resolve()
      }
      look()
      child.stdout.on('data', look)
      void ended.then(() => reject(new Error(`ended without "${text}": ${stdout}${stderr}`)))
    })
  return { child, ended, says }
}

export interface DemoDatabase extends FreshDatabase {
  /** The file that names it. */
  readonly env: string
  readonly folder: string
}

/** A database of its own, or the one of a server of its own, and the file that names it and these other servers. */
export async function demoDatabase(own?: string, others: Readonly<Record<string, string>> = {}): Promise<DemoDatabase> {
  const database = own === undefined ? await freshDatabase(4) : databaseOf(own)
  const folder = await mkdtemp(join(tmpdir(), 'evt-demo-test-'))
  const env = join(folder, 'servers.env')
  const lines = Object.entries({ EVT_PG_URL: database.url, ...others }).map(([name, url]) => `${name}=${url}\n`)
  await writeFile(env, lines.join(''))
  return { ...database, env, folder }
}

function databaseOf(url: string): FreshDatabase {
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  pool.on('error', () => undefined)
  return { url, pool, drop: () => pool.end() }
}

/** The number in a row of the report. */
export function figure(stdout: string, name: string): number {
  const row = new RegExp(`^${name.replaceAll(/[*()]/g, '\\$&')} +(\\d+)`, 'm').exec(stdout)
  if (row === null) throw new Error(`no row "${name}" in: ${stdout}`)
  return Number(row[1])
}

/** Waits for a condition, with a deadline. */
export async function until(condition: () => Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const endMs = Date.now() + deadlineMs
  while (!(await condition().catch(() => false))) {
    if (Date.now() > endMs) throw new Error('the condition did not come true')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
