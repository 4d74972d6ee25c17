import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isEvtError } from '@evt/core'
import { readLines } from '../src/read-lines.ts'
import { readSettings } from '../src/settings.ts'
import { chooseTransport, transports } from '../src/transports.ts'

const folder = mkdtempSync(join(tmpdir(), 'evt-demo-settings-'))
const envFile = (text: string) => {
  const file = join(mkdtempSync(join(folder, 'env-')), 'servers.env')
  writeFileSync(file, text)
  return file
}

test('without arguments it is the sample of 10,000 on embedded servers', () => {
  expect(readSettings([])).toEqual({
    orders: undefined,
    source: undefined,
    count: 10_000,
    seed: 1,
    follow: false,
    data: undefined,
    addresses: {},
    openTransport: expect.any(Function),
    services: new Set(['payment', 'inventory', 'shipping', 'audit', 'intake']),
    logLevel: 'error',
  })
})

test('an environment file gives the addresses of all servers it names, and comments and quotes are understood', () => {
  const file = envFile('# servers\nEVT_PG_URL="postgres://u:p@h:1/d"\nEVT_NATS_URL=nats://h:2\nOTHER=x\n')
  expect(readSettings(['--env', file])).toMatchObject({
    addresses: { EVT_PG_URL: 'postgres://u:p@h:1/d', EVT_NATS_URL: 'nats://h:2' },
  })
})

const wrong: readonly (readonly [string, readonly string[], string])[] = [
  ['an unknown option', ['--colour', 'red'], '--colour'],
  ['an argument that is no option', ['orders.ndjson'], 'orders.ndjson'],
  ['an option without its value', ['--orders'], '--orders'],
  ['an empty value', ['--orders='], '--orders'],
  ['a count of 0', ['--count', '0'], '--count'],
  ['a count that is no number', ['--count', 'many'], '--count'],
  ['a count in another notation', ['--count', '1e3'], '--count'],
  ['a count beyond all measure', ['--count', '99999999999999999999'], '--count'],
  ['a negative seed', ['--seed=-1'], '--seed'],
  ['an unknown transport', ['--transport', 'pigeon'], '--transport'],
  ['a transport with the name of an inherited property', ['--transport', 'toString'], '--transport'],
  ['a transport whose server is not named', ['--transport', 'kafka'], 'EVT_KAFKA_URL'],
  ['an unknown service', ['--services', 'payment,lottery'], 'lottery'],
  ['no service', ['--services', ''], '--services'],
  ['separate services without servers that outlive them', ['--services', 'payment', '--transport', 'pg'], '--services'],
  [
    'separate services on what lives in one process',
    ['--services', 'payment', '--transport', 'memory', '--env', envFile('EVT_PG_URL=postgres://h/d\n')],
    'memory',
  ],
  ['an unknown store', ['--store', 'paper'], '--store'],
  ['an unknown log level', ['--log-level', 'loud'], '--log-level'],
  ['an environment file that is not there', ['--env', join(folder, 'nowhere')], '--env'],
  ['an environment file that is a folder', ['--env', folder], '--env'],
  ['an environment file without a database', ['--env', envFile('EVT_REDIS_URL=redis://h\n')], 'EVT_PG_URL'],
  ['an address of something else', ['--env', envFile('EVT_PG_URL=redis://secret@h\n')], 'EVT_PG_URL'],
  ['an address that is none', ['--env', envFile('EVT_PG_URL=secret\n')], 'EVT_PG_URL'],
]
test.each(wrong)('%s is refused by name, and no password is repeated', (_what, argv, culprit) => {
  const error = thrownBy(() => readSettings(argv))
  expect(isEvtError(error, 'EVT_OPTION_INVALID')).toBe(true)
  expect((error as Error).message).toContain(culprit)
  expect((error as Error).message).not.toContain('secret')
})

test.each([['a file that is not there', join(folder, 'nowhere')] as const, ['a folder', folder] as const])(
  'orders from %s are refused before anything is started',
  (_what, orders) => {
    const input = { orders, source: undefined, count: 1, seed: 1, follow: false }
    const error = thrownBy(() => readLines(input, new AbortController().signal))
    expect(isEvtError(error, 'EVT_OPTION_INVALID')).toBe(true)
    expect((error as Error).message).toContain(orders)
  },
)

test('a transport is given the address it needs, and the database', async () => {
  const given: unknown[] = []
  const open = (...what: readonly unknown[]) => {
    given.push(what)
    return transports.memory!.open('', database)
  }
  const database = { pool: {}, prepared: {} } as never
  const choices = { pigeon: { address: 'EVT_REDIS_URL', shared: true, open } } as const
  await (await chooseTransport('pigeon', { EVT_REDIS_URL: 'redis://h' }, false, choices)(database)).close()
  expect(given).toEqual([['redis://h', database]])
})

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}
