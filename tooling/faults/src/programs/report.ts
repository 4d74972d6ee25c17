import { writeSync } from 'node:fs'
import type { Report } from '../ledger.ts'
import { machineMs } from '../machine-time.ts'
import type { Program } from './specification.ts'

const ledgerPipe = 3

/** Tells the harness. Written when it returns, so a process that kills itself right afterwards has said it. */
export function report(entry: Report): void {
  writeSync(ledgerPipe, `${JSON.stringify({ ...entry, atMs: machineMs(), pid: process.pid })}\n`)
}

/** What the harness asks for: the one argument. */
export function readProgram<Specification extends Program>(): Specification {
  const specification = JSON.parse(process.argv[2]!) as Specification
  crashWhere(specification)
  return specification
}

function crashWhere({ crashes = [] }: Program): void {
  if (crashes.length === 0) return
  const passes = crashes.map(() => 0)
  const passed = new Set<string>()
  const hooks = globalThis as { [hook: symbol]: (name: string) => void }
  hooks[Symbol.for('evt.crashPoint')] = (name) => {
    passed.add(name)
    for (const [index, { points, nth, after }] of crashes.entries()) {
      if (!points.includes(name) || (after !== undefined && !passed.has(after))) continue
      passes[index]! += 1
      if (passes[index] !== nth) continue
      report({ kind: 'crash', point: name })
      process.kill(process.pid, 'SIGKILL')
    }
  }
}
