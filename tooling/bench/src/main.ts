import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
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
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    json: { type: 'string' },
    write: { type: 'string' },
    soak: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '600' },
    list: { type: 'boolean', default: false },
  },
})

if (values.list)
  for (const { workload } of await allWorkloads()) console.log(`${workload.id.padEnd(14)} ${workload.title}`)
else if (values.write === undefined) await run()
else writePerformancePage(values.write, readReport(values.json ?? reportBeside(values.write)))

function reportBeside(page: string): string {
  return join(dirname(page), 'performance.json')
}

async function run(): Promise<void> {
  const chosen = values.soak ? [] : await choose(positionals)
  const rounds = wholeNumber('rounds', values.rounds)
  const about = machine()
  const before = await idleShare(watchedMs, availableParallelism())
  if (before !== undefined && before > tolerated)
    console.log(`Others use ${percent(before)} of this machine: rounds they disturb are marked.`)
  const servers = new Servers()
  const results: Result[] = []
  const earlier = values.json === undefined ? { runs: [] } : readReport(values.json)
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
    if (values.json !== undefined) writeReport(values.json, addRun(earlier, taken()))
  }
  try {
    if (values.soak) {
      await servers.need(['postgres'])
      show(await runSoak(wholeNumber('seconds', values.seconds), onProgress))
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
async function choose(names: readonly string[]): Promise<readonly Listed[]> {
  const all = await allWorkloads()
  const isOf = (name: string, { workload: { id } }: Listed) => id === name || id.startsWith(`${name}.`)
  const wanted = names.map((name) => name.toLowerCase())
  const lost = wanted.find((name) => !all.some((listed) => isOf(name, listed)))
  if (lost !== undefined) throw new Error(`No workload is called ${lost}; --list names them`)
  return wanted.length === 0 ? all : all.filter((listed) => wanted.some((name) => isOf(name, listed)))
}

function wholeNumber(name: string, given: string): number {
  const value = Number(given)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1, not ${given}`)
  return value
}

function onProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}
