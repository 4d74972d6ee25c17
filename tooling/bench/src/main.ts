/** `npm run bench`: see `usage` in arguments.ts. */
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { type Arguments, readArguments, usage } from './arguments.ts'
import { startContenderProcess } from './contender-process.ts'
import { machine } from './machine.ts'
import { idleShare, tolerated } from './other-load.ts'
import { writePerformancePage } from './performance-page.ts'
import { addRun, readReport, writeReport } from './report.ts'
import type { Result } from './result.ts'
import { type RunOptions, runRounds } from './run-rounds.ts'
import { runSamples } from './run-samples.ts'
import { Servers } from './servers.ts'
import { percent, showResult } from './show.ts'
import { runSoak } from './soak.ts'
import { allWorkloads, type Listed } from './workloads.ts'

const watchedMs = 1_000

/** What was asked for; says what is wrong with it, and how to ask, where it cannot be meant. */
async function asked(): Promise<{ readonly values: Arguments; readonly chosen: readonly Listed[] } | undefined> {
  try {
    const values = readArguments(process.argv.slice(2))
    const runs = !(values.help || values.list || values.soak || values.write !== undefined)
    return { values, chosen: runs ? await choose(values.ids) : [] }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exitCode = 2
    return undefined
  }
}

function reportBeside(page: string): string {
  return join(dirname(page), 'performance.json')
}

async function run({ rounds, json, soak, seconds }: Arguments, chosen: readonly Listed[]): Promise<void> {
  const about = machine()
  const before = await idleShare(watchedMs, availableParallelism())
  if (before !== undefined && before > tolerated)
    console.log(`Others use ${percent(before)} of this machine: rounds they disturb are marked.`)
  const servers = new Servers()
  const results: Result[] = []
  const earlier = json === undefined ? { runs: [] } : readReport(json)
  const taken = () => ({
    ...{ command: ['npm run bench --', ...process.argv.slice(2)].join(' '), rounds, machine: about },
    ...{ otherShareBefore: before, results },
    servers: servers.all.map(({ kind, version, settings }) => ({ kind, version, settings })),
  })
  const show = (result: Result) => {
    results.push(result)
    clearProgress()
    console.log(showResult(result))
    // After each, so that a run that is stopped keeps what it has.
    if (json !== undefined) writeReport(json, addRun(earlier, taken()))
  }
  try {
    if (soak) {
      await servers.need(['postgres'])
      show(await runSoak(seconds, onProgress))
    }
    for (const listed of chosen) {
      const { servers: needed = [], mostRounds = rounds } = listed.workload
      await servers.need(needed)
      show(await runWorkload(listed, servers.pids(needed), { rounds: Math.min(rounds, mostRounds), onProgress }))
    }
  } finally {
    await servers.stop()
  }
}

function runWorkload(listed: Listed, serverPids: readonly number[], options: RunOptions): Promise<Result> {
  const { workload } = listed
  if (workload.kind === 'samples') return runSamples(workload, options)
  return runRounds(workload, (index) => startContenderProcess(listed, index, serverPids), options)
}

/** `w9` stands for all its variants. */
async function choose(wanted: readonly string[]): Promise<readonly Listed[]> {
  const all = await allWorkloads()
  const isOf = (name: string, { workload: { id } }: Listed) => id === name || id.startsWith(`${name}.`)
  const lost = wanted.find((name) => !all.some((listed) => isOf(name, listed)))
  if (lost !== undefined) throw new Error(`There is no workload "${lost}"; --list names them`)
  return wanted.length === 0 ? all : all.filter((listed) => wanted.some((name) => isOf(name, listed)))
}

function onProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}

const wanted = await asked()
if (wanted !== undefined) {
  const { values, chosen } = wanted
  if (values.help) console.log(usage)
  else if (values.list)
    for (const { workload } of await allWorkloads()) console.log(`${workload.id.padEnd(14)} ${workload.title}`)
  else if (values.write === undefined) await run(values, chosen)
  else writePerformancePage(values.write, readReport(values.json ?? reportBeside(values.write)))
}
