import { parseArgs } from 'node:util'
import { bugs } from './bugs/index.ts'
import { scenarios } from './scenarios/index.ts'
import { stageOf, stages, stores } from './stages.ts'

export interface Arguments {
  readonly ids: readonly string[]
  readonly tier: 'quick' | 'long'
  readonly seed: number
  readonly transports: readonly string[]
  readonly bug: string | undefined
  /** Whether the seeded bugs are run instead of, or after, the scenarios. */
  readonly bugs: boolean
  readonly json: string | undefined
  /** Scenarios at once. */
  readonly jobs: number
  readonly list: boolean
  readonly help: boolean
}

export const usage = `npm run faults -- [ids] [options]

  ids                 F1 F2 …; none means all
  --tier quick|long   how much of each; default quick
  --seed n            the seed of every random choice; default a new one, printed
  --transport name    ${Object.keys(stages).join(', ')}; several with commas; default all
  --store name        ${stores.join(', ')}
  --bugs              runs the seeded bugs and says which scenario caught which
  --bug name          runs the scenarios with this bug in them: ${Object.keys(bugs).join(', ')}
  --jobs n            scenarios at once; default 2
  --json file         writes the report there
  --list              names the scenarios
  --help              says this`

/** Throws with a sentence for what cannot be meant. */
export function readArguments(given: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...given],
    allowPositionals: true,
    options: {
      tier: { type: 'string', default: 'quick' },
      seed: { type: 'string' },
      transport: { type: 'string' },
      store: { type: 'string', default: 'pg' },
      bugs: { type: 'boolean', default: false },
      bug: { type: 'string' },
      json: { type: 'string' },
      jobs: { type: 'string', default: '2' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const { tier, bug } = values
  if (tier !== 'quick' && tier !== 'long') throw new Error(`--tier takes quick or long, not "${tier}"`)
  if (!stores.includes(values.store)) throw new Error(`--store takes ${stores.join(', ')}, not "${values.store}"`)
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
  if (!Number.isSafeInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new Error('--seed takes a whole number below 2^32')
  const jobs = Number(values.jobs)
  if (!Number.isSafeInteger(jobs) || jobs < 1) throw new Error('--jobs takes a whole number from 1')
  const ids = positionals.map((id) => id.toUpperCase())
  for (const id of ids)
    if (!scenarios.some((scenario) => isMeant(scenario.id, id))) throw new Error(`There is no scenario "${id}"`)
  if (bug !== undefined && !Object.hasOwn(bugs, bug)) throw new Error(`There is no seeded bug "${bug}"`)
  const transports = values.transport === undefined ? Object.keys(stages) : values.transport.split(',')
  for (const transport of transports) stageOf(transport)
  return {
    ids,
    tier,
    seed,
    transports,
    bug,
    bugs: values.bugs,
    json: values.json,
    jobs,
    list: values.list,
    help: values.help,
  }
}

/** `F38` means everything that is called `F38-…`, too. */
export function isMeant(id: string, wish: string): boolean {
  return id === wish || id.startsWith(`${wish}-`)
}
