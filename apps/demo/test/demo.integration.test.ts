import { appendFile, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeTopic, writeHeaders } from '@evt/core'
import { generateOrders } from '../src/generate-orders.ts'
import { demoDatabase, type Ended, figure, startDemo, until } from './demo-process.ts'
import { expectedFates } from './expected-fates.ts'

jest.setTimeout(120_000)

let database: Awaited<ReturnType<typeof demoDatabase>>
beforeEach(async () => {
  database = await demoDatabase()
})
afterEach(() => database.drop())

const clean = 'The books are clean.'
const run = (...args: readonly string[]) => startDemo(['--env', database.env, ...args]).ended
const count = async (what: string): Promise<number> =>
  (await database.pool.query<{ count: number }>(`select count(*)::int as count from ${what}`)).rows[0]!.count
const order = (id: string) =>
  JSON.stringify({
    id,
    customer: { name: 'Ann Smith', email: 'ann@example.com' },
    items: [{ sku: 's', quantity: 1 }],
    totalCents: 5,
  })

function expectFates(stdout: string, size: number, seed: number) {
  const expected = expectedFates(size, seed)
  const found = {
    in: figure(stdout, 'in'),
    accepted: figure(stdout, 'accepted'),
    rejected: figure(stdout, 'rejected'),
    repeated: figure(stdout, 'repeated'),
    paid: figure(stdout, 'paid'),
    shipped: figure(stdout, 'shipped'),
    cancelled: figure(stdout, 'cancelled'),
    dead: figure(stdout, 'dead-lettered'),
  }
  expect(found).toEqual({ ...expected, failures: undefined })
}
function expectRefusal({ code, stdout, stderr }: Ended, ...parts: readonly string[]) {
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  for (const part of parts) expect(stderr).toContain(part)
  expect(stdout).toBe('')
  expect(code).toBe(1)
}

test('with nothing installed it runs on servers of its own, keeps them in a folder, and goes on there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evt-demo-data-'))
  const first = await startDemo(['--count', '300', '--data', folder]).ended
  expect(first).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(clean) })
  expectFates(first.stdout, 300, 1)
  expect(figure(first.stdout, 'retried *')).toBeGreaterThanOrEqual(expectedFates(300, 1).failures)
  expect(figure(first.stdout, 'duplicates suppressed *')).toBeGreaterThan(0)
  expect(first.stdout).toMatch(/^throughput \* +\d+ orders\/s$/m)
  for (const percent of [50, 95, 99]) expect(first.stdout).toMatch(new RegExp(`p${percent} \\* +\\d+\\.\\d ms$`, 'm'))
  expect(first.stdout).toMatch(/^read \d+, finished \d+, open \d+, audited \d+$/m)
  const audited = (await readFile(join(folder, 'audit.ndjson'), 'utf8')).trimEnd().split('\n')
  expect(new Set(audited.map((line) => (JSON.parse(line) as { type: string }).type))).toEqual(
    new Set(['order.created', 'order.paid', 'order.reserved', 'order.shipped', 'order.cancelled']),
  )
  expect(audited).toHaveLength(figure(first.stdout, 'audited *'))

  const second = await startDemo(['--count', '300', '--data', folder]).ended
  expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining(clean) })
  expectFates(second.stdout, 300, 1)
  const all = (await readFile(join(folder, 'audit.ndjson'), 'utf8')).trimEnd().split('\n')
  expect(all).toHaveLength(audited.length + figure(second.stdout, 'audited *'))
})

test('orders come from standard input, and what is wrong with a line is counted, named and costs no other line', async () => {
  const demo = startDemo(['--env', database.env, '--orders', '-'])
  demo.child.stdin!.end(
    [
      order('a'),
      '{"id": "Ann Smi',
      order('b').replace('ann@', 'ann'),
      '',
      '[]',
      order('a'),
      order('Ann@'),
      order('c'),
    ].join('\n'),
  )
  const ended = await demo.ended
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining(clean) })
  const { rows } = await database.pool.query('select number::int, fate, reason from demo.lines order by number')
  expect(rows).toEqual([
    { number: 1, fate: 'accepted', reason: null },
    { number: 2, fate: 'rejected', reason: 'not JSON' },
    { number: 3, fate: 'rejected', reason: expect.stringContaining('customer.email') },
    { number: 4, fate: 'rejected', reason: 'not JSON' },
    { number: 5, fate: 'rejected', reason: expect.stringContaining('expected object') },
    { number: 6, fate: 'repeated', reason: null },
    { number: 7, fate: 'rejected', reason: expect.stringContaining('id: ') },
    { number: 8, fate: 'accepted', reason: null },
  ])
})

test('a file is followed while it grows, until SIGTERM, which drains', async () => {
  const file = join(database.folder, 'orders.ndjson')
  const lines = [...generateOrders({ count: 200, seed: 5 })].map((line) => `${line}\n`)
  await writeFile(file, lines.slice(0, 100).join(''))
  const demo = startDemo(['--env', database.env, '--orders', file, '--follow'])
  await until(async () => (await count('demo.lines')) === 100)
  await appendFile(file, lines.slice(100).join(''))
  await until(async () => (await count('demo.lines')) === 200)
  demo.child.kill('SIGTERM')
  const ended = await demo.ended
  expect(ended).toMatchObject({ code: 0, signal: null, stdout: expect.stringContaining(clean) })
  expectFates(ended.stdout, 200, 5)
})

test('standard input that stays open keeps no follower from ending', async () => {
  const demo = startDemo(['--env', database.env, '--orders', '-', '--follow'])
  demo.child.stdin!.write(`${order('a')}\n`)
  await until(async () => (await count("demo.effects where kind = 'shipment'")) === 1)
  demo.child.kill('SIGINT')
  expect(await demo.ended).toMatchObject({ code: 0, signal: null, stdout: expect.stringContaining(clean) })
})

test('SIGTERM in the middle drains what was accepted, and the next start takes in the rest', async () => {
  const demo = startDemo(['--env', database.env, '--count', '1500'])
  await until(async () => (await count('demo.orders')) > 200)
  demo.child.kill('SIGTERM')
  const ended = await demo.ended
  expect(ended).toMatchObject({ code: 0, signal: null, stdout: expect.stringContaining('The books are clean') })
  expect(figure(ended.stdout, 'in')).toBeLessThan(1_500)
  expect(figure(ended.stdout, 'open')).toBe(0)
  const rest = await run('--count', '1500')
  expect(rest).toMatchObject({ code: 0, stdout: expect.stringContaining(clean) })
  expectFates(rest.stdout, 1_500, 1)
})

test('a second input on the same database is counted beside the first', async () => {
  await run('--count', '100', '--seed', '1')
  const second = await run('--count', '100', '--seed', '2')
  expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining(clean) })
  expect(figure(second.stdout, 'in')).toBe(200)
})

test('another input under the name of a known one is refused, and none of its lines is lost silently', async () => {
  const file = join(database.folder, 'orders.ndjson')
  await writeFile(file, `${order('a')}\n${order('b')}\n`)
  expect((await run('--orders', file)).code).toBe(0)
  await writeFile(file, `${order('a')}\n${order('c')}\n`)
  const { code, stderr } = await run('--orders', file)
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^EVT_DEMO_SOURCE_CHANGED: Line 2 of .*--source\n$/)])
  const named = await run('--orders', file, '--source', 'tuesday')
  expect(named).toMatchObject({ code: 0, stdout: expect.stringContaining(clean) })
  expect(figure(named.stdout, 'shipped')).toBe(3)
})

test('connections that the server ends in the middle cost no order', async () => {
  const demo = startDemo(['--env', database.env, '--count', '1000'])
  for (const orders of [100, 400, 700]) {
    await until(async () => (await count('demo.orders')) > orders)
    await database.pool.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    )
  }
  const ended = await demo.ended
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining(clean) })
  expectFates(ended.stdout, 1_000, 1)
})

test('nothing in log, audit or output says who ordered, whatever goes wrong', async () => {
  // Until the relay publishes it this row is what nobody can decode.
  await run('--transport', 'memory', '--count', '1')
  const headers = writeHeaders(
    {
      id: 'x',
      type: 'order.created',
      source: '/orders',
      time: new Date().toISOString(),
      contentType: 'application/json',
      version: 1,
    } as never,
    {},
    {},
  )
  const place = (await database.pool.query('select name from demo.place')).rows[0].name
  await database.pool.query(
    `insert into evt_outbox (transport, topic, message_id, headers, payload) values ('memory', $1, 'x', $2, $3)`,
    [encodeTopic(place, 'order.created'), JSON.stringify(headers), Buffer.from('Customer 12 <customer12@example.com>')],
  )
  const folder = await mkdtemp(join(tmpdir(), 'evt-demo-data-'))
  const ended = await run('--transport', 'memory', '--count', '400', '--log-level', 'debug', '--data', folder)
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining(clean) })
  expect(ended.stderr).toContain('EVT_CODEC_DECODE')
  expect(ended.stderr).toContain('was declined')
  const audit = await readFile(join(folder, 'audit.ndjson'), 'utf8')
  expect(`${ended.stdout}${ended.stderr}${audit}`).not.toMatch(/customer ?\d|@example/i)
})

test('a database that cannot be reached is named on one line', async () => {
  await writeFile(database.env, 'EVT_PG_URL=postgres://evt:secret@127.0.0.1:9/orders\n')
  const ended = await run()
  expectRefusal(ended, 'EVT_DEMO_DATABASE: ', '127.0.0.1:9/orders', 'ECONNREFUSED')
  expect(ended.stderr).not.toContain('secret')
})

test('a database that does not exist is named on one line', async () => {
  await writeFile(database.env, `EVT_PG_URL=${database.url}_not\n`)
  expectRefusal(await run(), 'EVT_DEMO_DATABASE: ', '_not', 'does not exist')
})

test('a database in which something else has our place is named on one line, and is left as it is', async () => {
  await database.pool.query('create schema demo; create table demo.lines (mine int); insert into demo.lines values (7)')
  expectRefusal(await run(), 'EVT_DEMO_DATABASE: ', 'already exists')
  expect((await database.pool.query('select * from demo.lines')).rows).toEqual([{ mine: 7 }])
})

test.each([
  [['--colour'], '--colour'],
  [['--count', '0'], '--count'],
  [['--orders', '/nowhere/orders.ndjson'], '/nowhere/orders.ndjson'],
  [['--env', '/nowhere/servers.env'], '/nowhere/servers.env'],
  [['--data', '/dev/null/data'], '/dev/null/data'],
])('%j is refused on one line before anything is started', async (args, culprit) => {
  expectRefusal(await startDemo(args).ended, 'EVT_OPTION_INVALID: ', culprit)
})

test('--help says how to use it', async () => {
  const ended = await startDemo(['--help']).ended
  expect(ended).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('--follow') })
})
