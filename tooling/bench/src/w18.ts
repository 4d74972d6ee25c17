import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { installedBytes } from './installed-bytes.ts'
import type { SampledContender, Workload } from './workload.ts'

const here = fileURLToPath(new URL('..', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))
const ours = ['@evt/core', '@evt/outbox-pg', '@evt/idempotency-pg', '@evt/dlq-pg']
const peers = ['emittery', 'pg', 'pg-boss', 'graphile-worker', 'ioredis', 'bullmq']
const run = promisify(execFile)

/** What a package costs before it does anything. Ours are built first. */
export const workloads: readonly Workload[] = [
  {
    kind: 'samples',
    id: 'w18.import',
    title: 'processor time of a process that imports it',
    unit: 'ms of processor time',
    prepare: build,
    contenders: [
      { name: 'nothing', sample: () => processorMs(undefined) },
      ...[...ours, ...peers].map((name): SampledContender => ({ name, sample: () => processorMs(name) })),
    ],
    goals: [
      {
        text: 'ms more than bare Node for core',
        value: (read) => read.least('@evt/core') - read.least('nothing'),
        atMost: 8,
      },
    ],
  },
  {
    kind: 'samples',
    id: 'w18.size',
    title: 'size on disk, with everything it depends on and without its peers',
    unit: 'KiB',
    isExact: true,
    prepare: build,
    mostRounds: 1,
    contenders: [...ours, ...peers].map((name) => ({ name, sample: async () => installedBytes(name, here) / 1_024 })),
  },
]

async function build(): Promise<void> {
  execFileSync(process.execPath, ['tooling/turbo.mjs', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Processor time instead of the clock's: a busy machine stretches the one much more than the other. */
async function processorMs(name: string | undefined): Promise<number> {
  const work = `${name === undefined ? '' : `await import('${name}');`}const { user, system } = process.cpuUsage();console.log((user + system) / 1000);process.exit()`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', work], { cwd: here })
  return Number(stdout)
}
