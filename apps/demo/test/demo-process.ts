import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FreshDatabase, freshDatabase } from '@evt/servers'

const root = fileURLToPath(new URL('../../..', import.meta.url))
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
}

/** The demo as users run it, less the installation. */
export function startDemo(args: readonly string[], moments: readonly Moment[] = []): DemoProcess {
  const preload = moments.length === 0 ? [] : ['--import', killAt]
  const child = spawn(
    process.execPath,
    ['--conditions=@evt/source', '--import', './tooling/typescript.mjs', ...preload, 'apps/demo/src/main.ts', ...args],
    { cwd: root, env: { PATH: process.env.PATH, EVT_DEMO_KILL: JSON.stringify(moments) } },
  )
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
  return { child, ended }
}

/** A database of its own and the file that names it. */
export async function demoDatabase(): Promise<FreshDatabase & { readonly env: string; readonly folder: string }> {
  const database = await freshDatabase(4)
  const folder = await mkdtemp(join(tmpdir(), 'evt-demo-test-'))
  const env = join(folder, 'servers.env')
  await writeFile(env, `EVT_PG_URL=${database.url}\n`)
  return { ...database, env, folder }
}

/** The number in a row of the report. */
export function figure(stdout: string, name: string): number {
  const row = new RegExp(`^${name.replaceAll('*', '\\*')} +(\\d+)`, 'm').exec(stdout)
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
