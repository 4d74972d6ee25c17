import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { sourceRun } from '@evt/servers'

/** A process of its own that a test may kill. */
export interface RunningProgram {
  readonly child: ChildProcessByStdio<null, Readable, null>
  /** What it has printed so far. */
  readonly lines: readonly string[]
  /** Exit code and signal, once everything it printed has been read. */
  readonly ended: Promise<readonly unknown[]>
}

/** Runs a source file of this repository from its address, with arguments. */
export function startProgram(address: URL, ...given: readonly string[]): RunningProgram {
  const { execArgv, cwd } = sourceRun
  const args = [...execArgv, fileURLToPath(address), ...given]
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  return { child, lines, ended: once(child, 'close') }
}
