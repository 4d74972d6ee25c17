import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { sourceRun } from '@evt/servers'
import type { Entry } from './ledger.ts'
import type { Program } from './programs/specification.ts'

const stderrLimit = 4_000

export type ProgramName = 'publisher' | 'worker' | 'relay' | 'bridge' | 'cycles' | 'fuzz'
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}
/** A real process of the system under test. */
export interface Member {
  readonly pid: number
  readonly program: ProgramName
  readonly ready: Promise<void>
  readonly ended: Promise<Ended>
  readonly running: boolean
  signal(signal: NodeJS.Signals): void
}

const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Starts a program; what it tells goes to `tell`. It ends with this process. */
export function startMember(
  name: ProgramName,
  specification: Program,
  tell: (entry: Entry, member: Member) => void,
): Member {
  const file = `tooling/faults/src/programs/${name}.ts`
  const child: ChildProcess = spawn(
    process.execPath,
    ['--expose-gc', ...sourceRun.execArgv, file, JSON.stringify(specification)],
    { cwd: sourceRun.cwd, stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } },
  )
  let stderr = ''
  let over: Ended | undefined
  child.stderr!.on('data', (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-stderrLimit)
  })
  children.add(child)
  let becomeReady!: () => void
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve
  })
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => {
      children.delete(child)
      over = { code, signal, stderr }
      // Whoever waits for one that died at its start waits no longer.
      becomeReady()
      resolve(over)
    })
  })
  const member: Member = {
    pid: child.pid!,
    program: name,
    ready,
    ended,
    get running() {
      return over === undefined
    },
    signal: (signal) => void child.kill(signal),
  }
  createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
    const entry = parse(line)
    if (entry === undefined) return
    if (entry.kind === 'ready') becomeReady()
    tell(entry, member)
  })
  return member
}

/** A process killed while it wrote leaves half a line. */
function parse(line: string): Entry | undefined {
  try {
    return JSON.parse(line) as Entry
  } catch {
    return undefined
  }
}
