import { parseArgs } from 'node:util'

export interface Arguments {
  /** Workloads, in lower case; none means all. */
  readonly ids: readonly string[]
  readonly rounds: number
  readonly json: string | undefined
  /** The page to write out of a report instead of running anything. */
  readonly write: string | undefined
  readonly soak: boolean
  readonly seconds: number
  readonly list: boolean
  readonly help: boolean
}

export const usage = `npm run bench -- [ids] [options]

  ids           w0 w7.consume …; w9 means all its variants, none means all workloads
  --rounds n    measured rounds of each contender; default 7
  --json file   keeps the results there, in place of earlier ones of the same workload
  --write file  writes the page from the report beside it, or from --json; runs nothing
  --soak        W19 instead of workloads
  --seconds n   how long that takes; default 600
  --list        names the workloads
  --help        says this`

/** Throws with a sentence for what cannot be meant; that a workload exists is for whoever knows them all. */
export function readArguments(given: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...given],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '7' },
      json: { type: 'string' },
      write: { type: 'string' },
      soak: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '600' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  return {
    ...{ ids: positionals.map((id) => id.toLowerCase()), json: values.json, write: values.write },
    ...{ rounds: wholeNumber('rounds', values.rounds), seconds: wholeNumber('seconds', values.seconds) },
    ...{ soak: values.soak, list: values.list, help: values.help },
  }
}

function wholeNumber(name: string, given: string): number {
  const value = Number(given)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new Error(`--${name} takes a whole number from 1, not "${given}"`)
}
