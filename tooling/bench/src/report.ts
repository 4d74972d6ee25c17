import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Machine } from './machine.ts'
import type { Result } from './result.ts'
import type { RunServer } from './servers.ts'

/** What one run measured, with everything that it hangs on. */
export interface Report {
  readonly runs: readonly Run[]
}
export interface Run {
  readonly command: string
  readonly rounds: number
  readonly machine: Machine
  /** The share of the machine that others used while nothing ran yet. */
  readonly otherShareBefore: number | undefined
  readonly servers: readonly Omit<RunServer, 'pid'>[]
  readonly results: readonly Result[]
}

export function readReport(file: string): Report {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : { runs: [] }
}

/** Adds a run to a report. Its results take the place of earlier ones of the same workloads. */
export function addRun(report: Report, run: Run): Report {
  const taken = new Set(run.results.map(({ id }) => id))
  const kept = report.runs
    .map((earlier) => ({ ...earlier, results: earlier.results.filter(({ id }) => !taken.has(id)) }))
    .filter(({ results }) => results.length > 0)
  return { runs: [...kept, run] }
}

export function writeReport(file: string, report: Report): void {
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`)
}
