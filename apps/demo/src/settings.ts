import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { invalidOption } from '@evt/core'

export interface DemoSettings {
  /** A file, `-` for standard input, or nothing for the generated sample. */
  readonly orders: string | undefined
  readonly count: number
  readonly seed: number
  readonly follow: boolean
  readonly data: string | undefined
  readonly databaseUrl: string | undefined
  readonly logLevel: string
}

export const usage = `npm run demo -- [options]

  --orders <file|->     newline-delimited JSON; default: a generated sample
  --count <n>           size of the sample, default 10000
  --seed <n>            seed of the sample, default 1
  --follow              run until SIGINT or SIGTERM, then drain
  --data <folder>       keep the embedded PostgreSQL there and go on where it stopped
  --env <file>          take the servers from this file (EVT_PG_URL) instead of embedded ones
  --transport <name>    memory
  --store <name>        pg
  --log-level <level>   of the log on standard error, default error
`
const levels = ['silent', 'error', 'warn', 'info', 'debug']

/** Reads the command line. Throws `EVT_OPTION_INVALID` naming what is wrong. */
export function readSettings(argv: readonly string[]): DemoSettings | 'help' {
  const values = parse(argv)
  if (values.help) return 'help'
  oneOf('--transport', values.transport, ['memory'])
  oneOf('--store', values.store, ['pg'])
  oneOf('--log-level', values['log-level'], levels)
  if (values.data !== undefined && values.env !== undefined)
    throw invalidOption('--data', 'the embedded server is not used together with --env')
  return {
    orders: values.orders,
    count: wholeArgument('--count', values.count),
    seed: wholeArgument('--seed', values.seed),
    follow: values.follow,
    data: values.data,
    databaseUrl: values.env === undefined ? undefined : addressIn(values.env),
    logLevel: values['log-level'],
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        orders: { type: 'string' },
        count: { type: 'string', default: '10000' },
        seed: { type: 'string', default: '1' },
        follow: { type: 'boolean', default: false },
        data: { type: 'string' },
        env: { type: 'string' },
        transport: { type: 'string', default: 'memory' },
        store: { type: 'string', default: 'pg' },
        'log-level': { type: 'string', default: 'error' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw invalidOption('command line', (error as Error).message)
  }
}

function oneOf(option: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw invalidOption(option, `expected ${allowed.join(', ')}, not "${value}"`)
}

function wholeArgument(option: string, value: string): number {
  const number = Number(value)
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number) || number < 1)
    throw invalidOption(option, `expected a whole number of at least 1, not "${value}"`)
  return number
}

function addressIn(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw invalidOption('--env', `cannot read "${file}": ${(error as Error).message}`)
  }
  const address = /^EVT_PG_URL=(.+)$/m.exec(text)?.[1]?.trim()
  if (address === undefined) throw invalidOption('--env', `expected a line EVT_PG_URL=… in ${file}`)
  return address
}
