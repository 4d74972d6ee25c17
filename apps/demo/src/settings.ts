import { parseArgs } from 'node:util'
import { invalidOption } from '@evt/core'
import { type Addresses, readAddresses } from './addresses.ts'
import { readServices, type ServiceName, serviceNames } from './services.ts'
import { chooseTransport, transports } from './transports.ts'

export interface DemoSettings {
  /** A file, `-` for standard input, or nothing for the generated sample. */
  readonly orders: string | undefined
  /** Names the input where its own name will not do. */
  readonly source: string | undefined
  readonly count: number
  readonly seed: number
  readonly follow: boolean
  /** The folder that is kept. */
  readonly data: string | undefined
  readonly addresses: Addresses
  readonly openTransport: ReturnType<typeof chooseTransport>
  /** Those of this process. */
  readonly services: ReadonlySet<ServiceName>
  readonly logLevel: string
}

export const usage = `npm run demo -- [options]

  --orders <file|->     newline-delimited JSON; default: a generated sample
  --source <name>       name of the input, under which its lines are counted once; default: its path or kind
  --count <n>           size of the sample, default 10000
  --seed <n>            seed of the sample, default 1
  --follow              run until SIGINT or SIGTERM, then drain
  --data <folder>       keep the audit log and the embedded PostgreSQL there, and go on where they stopped
  --env <file>          take the servers from this file (EVT_PG_URL, …) instead of an embedded one
  --transport <name>    ${Object.keys(transports).join(', ')}; default pg
  --services <list>     those of this process, default all: ${serviceNames.join(',')}
  --store <name>        pg
  --log-level <level>   of the log on standard error, default error
  --help                this text
`
const levels = ['silent', 'error', 'warn', 'info', 'debug']
const stores = ['pg']
const maxCount = 10_000_000

/** Reads the command line. Throws `EVT_OPTION_INVALID` naming what is wrong. */
export function readSettings(argv: readonly string[]): DemoSettings | 'help' {
  const values = parse(argv)
  if (values.help) return 'help'
  oneOf('--store', values.store, stores)
  oneOf('--log-level', values['log-level'], levels)
  for (const option of ['orders', 'source', 'data', 'env'] as const)
    if (values[option] === '') throw invalidOption(`--${option}`, 'expected a value')
  const services = readServices(values.services)
  const addresses = values.env === undefined ? {} : readAddresses(values.env)
  return {
    orders: values.orders,
    source: values.source,
    count: wholeArgument('--count', values.count, 1, maxCount),
    seed: wholeArgument('--seed', values.seed, 0, 2 ** 32 - 1),
    follow: values.follow,
    data: values.data,
    addresses,
    openTransport: chooseTransport(values.transport, addresses, services.size < serviceNames.length),
    services,
    logLevel: values['log-level'],
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        orders: { type: 'string' },
        source: { type: 'string' },
        count: { type: 'string', default: '10000' },
        seed: { type: 'string', default: '1' },
        follow: { type: 'boolean', default: false },
        data: { type: 'string' },
        env: { type: 'string' },
        transport: { type: 'string', default: 'pg' },
        services: { type: 'string', default: serviceNames.join() },
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

function wholeArgument(option: string, value: string, min: number, max: number): number {
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < min || number > max)
    throw invalidOption(option, `expected a whole number from ${min} to ${max}, not "${value}"`)
  return number
}
